"""What a model is, and whether it holds weights only, without loading it."""

from __future__ import annotations

import hashlib
import json
import pickletools
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs, urlsplit

from adabldm.core.faults import InputFault
from adabldm.networks import formats
from adabldm.networks.formats import CheckpointFault
from cluster.storage.hashing import file_sha256
from cluster.storage.location import Location, location

EMBEDDED = "embedded"
SLEEPING = "sleep"
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


def is_sleeping(uri: str) -> bool:
    """Whether ``uri`` names the backend that only sleeps (:mod:`cluster.models.sleeping`)."""
    return uri.startswith(f"{SLEEPING}://")


def model_location(uri: str) -> Location:
    """Where the files of model ``uri`` are. Raises :class:`InputFault`."""
    if uri == EMBEDDED:
        from adabldm.networks.embedded import embedded_path

        return Location.of(str(embedded_path()))
    return location("model", uri)


def model_fingerprint(uri: str) -> str:
    """SHA-256 over names and bytes of the model's files, once they are known to be weights only.

    Raises :class:`InputFault` for a model that is not there or holds pickled code.
    """
    if is_sleeping(uri):
        version = parse_qs(urlsplit(uri).query).get("version", ["1"])[0]
        return hashlib.sha256(f"{SLEEPING} {version}".encode()).hexdigest()
    place = model_location(uri)
    try:
        files = list(model_files(place))
        for _, file in files:
            _check_file(uri, file)
        with ThreadPoolExecutor(8) as pool:
            digests = list(pool.map(lambda pair: file_sha256(pair[1]), files))
    except OSError as error:
        raise InputFault.of("model", uri, f"cannot be read ({error})") from error
    listing = [[name, digest] for (name, _), digest in zip(files, digests, strict=True)]
    return hashlib.sha256(json.dumps(listing).encode()).hexdigest()


def has_control_branch(uri: str) -> bool:
    """Whether model ``uri`` has a control branch of its own, so that it can make pairs by itself.

    Raises :class:`InputFault`.
    """
    if is_sleeping(uri):
        return True
    place = model_location(uri)
    try:
        if place.is_folder():
            return formats.index_has_control(_index(place))
        with place.fs.open(place.path, "rb") as opened:
            size = place.fs.size(place.path)
            return formats.file_has_control(opened, place.name, size)
    except (OSError, CheckpointFault) as error:
        raise InputFault.of("model", uri, str(error)) from error


def model_files(place: Location) -> Iterator[tuple[str, Location]]:
    """(relative name, file) of everything a model is made of, in order of name.

    Of a folder in Stable Diffusion's layout these are the files that loading it opens. A
    single-file checkpoint comes with its ``tokenizer`` folder and ``<stem>.yaml`` beside it.
    Raises :class:`InputFault`.
    """
    if place.is_folder():
        for name in _folder_files(place):
            yield name, place.join(name)
        return
    if not place.exists():
        raise InputFault.of("model", place.shown, "there is no such file or folder")
    if not place.name.endswith(SINGLE_FILES):
        raise InputFault.of("model", place.shown, f"a model file ends in {', '.join(SINGLE_FILES)}")
    yield place.name, place
    tokenizer, config = single_file_companions(place)
    names = sorted(tokenizer.files())
    if not names:
        raise InputFault.of("model", place.shown, "a model file has a folder 'tokenizer' beside it")
    for name in names:
        yield f"tokenizer/{name}", tokenizer.join(name)
    if config.exists():
        yield config.name, config


def _folder_files(folder: Location) -> list[str]:
    names = [n for n in sorted(folder.files()) if "__pycache__" not in n]
    if formats.INDEX not in names:
        raise InputFault.of("model", folder.shown, f"a model folder has a {formats.INDEX}")
    try:
        if formats.is_stable_diffusion(_index(folder)):
            return formats.stable_diffusion_files(names)
    except CheckpointFault as error:
        raise InputFault.of("model", folder.shown, str(error)) from error
    return names


def _index(folder: Location) -> dict[str, Any]:
    return formats.read_index(folder.join(formats.INDEX).read())


def image_size(uri: str) -> int | None:
    """Side S in pixels that the model folder ``uri`` works at; None where only loading it tells."""
    if is_sleeping(uri):
        return None
    place = model_location(uri)
    try:
        index = _index(place)
        if formats.is_stable_diffusion(index):
            return None
        if size := index.get("image_size"):
            return int(size)
        latents = json.loads(place.join("unet/config.json").read())["sample_size"]
        blocks = json.loads(place.join("vae/config.json").read())["block_out_channels"]
        return int(latents * 2 ** (len(blocks) - 1))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def single_file_companions(place: Location) -> tuple[Location, Location]:
    """The tokenizer folder and the configuration that belong to a single-file checkpoint."""
    stem = place.name.rpartition(".")[0]
    return place.parent.join("tokenizer"), place.parent.join(f"{stem}.yaml")


def _check_file(uri: str, file: Location) -> None:
    if file.name.endswith(".safetensors"):
        if rule := safetensors_fault(file):
            raise InputFault.of("model", file.shown, rule)
    elif file.name.endswith(SINGLE_FILES) and model_location(uri) == file:
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
        ends = [facts["data_offsets"][1] for facts in tensors.values()]
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
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
