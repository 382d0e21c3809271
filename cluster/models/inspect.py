"""What a model is, and whether it holds weights only, without loading it."""

from __future__ import annotations

import hashlib
import json
import pickletools
import zipfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from adabldm.core.faults import InputFault
from adabldm.core.json_text import load_json
from adabldm.networks import formats
from adabldm.networks.formats import CheckpointFault, index_has_control
from cluster.storage.hashing import file_sha256
from cluster.storage.location import Location, location

EMBEDDED = "embedded"
READERS = 8
"""Files that are read at the same time."""
SINGLE_FILES = (".safetensors", ".ckpt", ".pt")
PICKLES = (".ckpt", ".pt", ".pth", ".bin", ".pkl", ".pickle", ".py")
WEIGHTS_ONLY: dict[str, set[str] | None] = {
    "collections": {"OrderedDict"},
    "torch": None,
    "torch._utils": None,
    "torch._tensor": None,
    "torch.nn.parameter": {"Parameter"},
    "torch.storage": None,
    "_codecs": {"encode"},
    **{module: {name} for module, name in formats.TRAINER_STATE_CLASSES},
}
"""Names (None: all) that a file of weights may mention, by module."""


@dataclass(frozen=True, kw_only=True)
class ModelFacts:
    """What is known of the model ``uri`` without loading it.

    ``fingerprint`` is a SHA-256; a model that ``has_control_branch`` makes pairs by itself; it
    works at ``image_size`` pixels a side, None where only loading it tells.
    """

    uri: str
    fingerprint: str
    has_control_branch: bool = True
    image_size: int | None = None


def model_location(uri: str) -> Location:
    """Where the files of model ``uri`` are. Raises :class:`InputFault`."""
    if uri == EMBEDDED:
        from adabldm.networks.embedded import embedded_path

        return Location.of(str(embedded_path()))
    return location("model", uri)


def inspect_files(uri: str) -> ModelFacts:
    """The facts of the model whose files are at ``uri``, which are listed and read once; its
    fingerprint is over their names and bytes.

    Raises :class:`InputFault` for a model that is not there, is not whole or holds pickled code.
    """
    place = model_location(uri)
    try:
        files, index = _listed(place)
        for file in files.values():
            _check_file(uri, place, file)
        fingerprint = files_fingerprint(files)
        has_control = _file_has_control(place) if index is None else index_has_control(index)
    except (OSError, CheckpointFault) as error:
        raise InputFault.of("model", uri, f"cannot be read ({error})") from error
    return ModelFacts(
        uri=uri,
        fingerprint=fingerprint,
        has_control_branch=has_control,
        image_size=None if index is None else _image_size(place, index),
    )


def files_fingerprint(files: Mapping[str, Location]) -> str:
    """SHA-256 over the names and bytes of a model's ``files``, in order. Raises ``OSError``."""
    with ThreadPoolExecutor(READERS) as pool:
        digests = list(pool.map(file_sha256, files.values()))
    listing = [[name, digest] for name, digest in zip(files, digests, strict=True)]
    return hashlib.sha256(json.dumps(listing).encode()).hexdigest()


def model_files(place: Location) -> Mapping[str, Location]:
    """Everything a model is made of, by relative name, in order of name.

    Of a folder in Stable Diffusion's layout these are the files that loading it opens. A
    single-file checkpoint comes with its ``tokenizer`` folder and ``<stem>.yaml`` beside it.
    Raises :class:`InputFault`.
    """
    return _listed(place)[0]


def _listed(place: Location) -> tuple[Mapping[str, Location], dict[str, Any] | None]:
    """As :func:`model_files`, and the content of a folder's index (None: a single file)."""
    if place.is_folder():
        names, index = _folder_files(place)
        return {name: place.join(name) for name in names}, index
    return _single_file(place), None


def _single_file(place: Location) -> dict[str, Location]:
    if not place.exists():
        raise InputFault.of("model", place.shown, "there is no such file or folder")
    if not place.name.endswith(SINGLE_FILES):
        raise InputFault.of("model", place.shown, f"a model file ends in {', '.join(SINGLE_FILES)}")
    tokenizer, config = single_file_companions(place)
    names = sorted(tokenizer.files())
    if not names:
        raise InputFault.of("model", place.shown, "a model file has a folder 'tokenizer' beside it")
    words = {f"tokenizer/{name}": tokenizer.join(name) for name in names}
    return {place.name: place, **words, **({config.name: config} if config.exists() else {})}


def _folder_files(folder: Location) -> tuple[list[str], dict[str, Any]]:
    names = [n for n in sorted(folder.files()) if "__pycache__" not in n]
    if formats.INDEX not in names:
        raise InputFault.of("model", folder.shown, f"a model folder has a {formats.INDEX}")
    try:
        index = formats.read_index(folder.join(formats.INDEX).read())
        if formats.is_stable_diffusion(index):
            return formats.stable_diffusion_files(names), index
    except CheckpointFault as error:
        raise InputFault.of("model", folder.shown, str(error)) from error
    return names, index


def _file_has_control(place: Location) -> bool:
    with place.fs.open(place.path, "rb") as opened:
        return formats.file_has_control(opened, place.name, place.fs.size(place.path))


def _image_size(folder: Location, index: Mapping[str, Any]) -> int | None:
    try:
        if formats.is_stable_diffusion(index):
            return None
        if size := index.get("image_size"):
            return int(size)
        latents = load_json(folder.join("unet/config.json").read())["sample_size"]
        blocks = load_json(folder.join("vae/config.json").read())["block_out_channels"]
        return int(latents * 2 ** (len(blocks) - 1))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError):
        return None


def single_file_companions(place: Location) -> tuple[Location, Location]:
    """The tokenizer folder and the configuration that belong to a single-file checkpoint."""
    stem = place.name.rpartition(".")[0]
    return place.parent.join("tokenizer"), place.parent.join(f"{stem}.yaml")


def _check_file(uri: str, place: Location, file: Location) -> None:
    if file.name.endswith(".safetensors"):
        if rule := safetensors_fault(file):
            raise InputFault.of("model", file.shown, rule)
    elif file.name.endswith(SINGLE_FILES) and file == place:
        _check_zip_of_weights(file)
    elif file.name.endswith(PICKLES) and uri != EMBEDDED:
        raise InputFault.of("model", file.shown, "a model folder holds weights as safetensors only")


def safetensors_fault(file: Location) -> str | None:
    """The rule that a file of weights breaks by its header and its length, or None.

    Raises ``OSError``.
    """
    size = file.fs.size(file.path)
    try:
        with file.fs.open(file.path, "rb") as opened:
            tensors, begin = formats.safetensors_header(opened, size)
        ends = [int(facts["data_offsets"][1]) for facts in tensors.values()]
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError):
        return "is not a safetensors file"
    if begin + max(ends, default=0) != size:
        return "is cut short or has more bytes than its header"
    return None


def _check_zip_of_weights(file: Location) -> None:
    rule = "a checkpoint holds weights only, never pickled code"
    try:
        with file.fs.open(file.path, "rb") as opened:
            foreign = _foreign_names(formats.checkpoint_pickle(opened))
    except (zipfile.BadZipFile, ValueError, EOFError) as error:
        raise InputFault.of("model", file.shown, f"{rule} (not a zip of tensors)") from error
    if foreign:
        raise InputFault.of("model", file.shown, f"{rule} (it names {', '.join(foreign[:3])})")


def _foreign_names(pickled: bytes) -> list[str]:
    """Names in a pickle that a file of weights has no need of."""
    foreign = []
    for opcode, argument, _ in pickletools.genops(pickled):
        if opcode.name in ("STACK_GLOBAL", "INST", "EXT1", "EXT2", "EXT4"):
            foreign.append(opcode.name)
        elif opcode.name == "GLOBAL":
            module, _, name = str(argument).partition(" ")
            allowed = WEIGHTS_ONLY.get(module, set())
            if allowed is not None and name not in allowed:
                foreign.append(f"{module}.{name}")
    return foreign
