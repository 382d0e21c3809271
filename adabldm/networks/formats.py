"""What kind of model a folder or a file holds, told without loading it (and without torch).

A model has one of four layouts: a folder as :class:`~adabldm.AdaBLDMPipeline` saves it, a folder in
Stable Diffusion's diffusers layout, or one file in LDM naming with or without ``control_model.*``.
"""

from __future__ import annotations

import lzma
import pickletools
import struct
import zipfile
import zlib
from collections.abc import Collection, Iterator, Mapping
from typing import Any, BinaryIO

from adabldm.core.json_text import load_json

INDEX = "model_index.json"
OURS, STABLE_DIFFUSION = "AdaBLDMPipeline", "StableDiffusionPipeline"
CONTROL = "control_model."
"""Prefix of the control branch's tensors in a single file."""
WEIGHTS = {
    "vae": "diffusion_pytorch_model",
    "unet": "diffusion_pytorch_model",
    "text_encoder": "model",
}
"""The parts of Stable Diffusion that have weights, and how their files are called."""
CONFIGS = (*(f"{part}/config.json" for part in WEIGHTS), "scheduler/scheduler_config.json")
TRAINER_STATE_CLASSES = (
    ("pytorch_lightning.callbacks.model_checkpoint", "ModelCheckpoint"),
    ("numpy.core.multiarray", "scalar"),
    ("numpy._core.multiarray", "scalar"),
    ("numpy", "dtype"),
)
"""(module, name) of the classes in a ``.ckpt`` whose trainer saved its own state beside the
weights, as Stable Diffusion's did. None is ever called (:mod:`adabldm.networks.ldm_checkpoint`)."""
BROKEN_ZIP = (zlib.error, lzma.LZMAError, struct.error, RuntimeError, LookupError, ArithmeticError)
"""What reading a broken zip raises beside ``zipfile.BadZipFile`` and ``ValueError``."""
MAX_HEADER_BYTES = 100 * 1024 * 1024


class CheckpointFault(ValueError):
    """A file or folder that is not a usable model; the message says why."""


def read_index(text: bytes) -> dict[str, Any]:
    """The content of a folder's ``model_index.json``. Raises :class:`CheckpointFault`."""
    try:
        index = load_json(text)
    except ValueError:
        index = None
    if not isinstance(index, dict):
        raise CheckpointFault(f"its {INDEX} is not a JSON object")
    return index


def is_stable_diffusion(index: Mapping[str, Any]) -> bool:
    """Whether the folder of this index has Stable Diffusion's layout."""
    return index.get("_class_name") == STABLE_DIFFUSION


def index_has_control(index: Mapping[str, Any]) -> bool:
    """Whether the folder of this index has a control branch."""
    part = index.get("controlnet")
    return isinstance(part, list) and part[-1:] != [None]


def variant_of(names: Collection[str], part: str) -> str | None:
    """Which of ``part``'s weights are loaded: None for the plain ones, else ``fp16``.

    ``names`` are all files of a folder in Stable Diffusion's layout, relative to it. Pickled
    weights beside the safetensors are passed over; alone they raise :class:`CheckpointFault`.
    """
    stem = f"{part}/{WEIGHTS[part]}"
    for variant, suffix in ((None, ""), ("fp16", ".fp16")):
        if f"{stem}{suffix}.safetensors" in names:
            return variant
    found = sorted(n for n in names if n.startswith(f"{part}/") and not n.endswith(".json"))
    shown = f", it holds {', '.join(found)}" if found else ""
    raise CheckpointFault(f"needs {stem}.safetensors or {stem}.fp16.safetensors{shown}")


def stable_diffusion_files(names: Collection[str]) -> list[str]:
    """Those among ``names`` that loading a folder in Stable Diffusion's layout opens.

    The safety checker, the feature extractor, other formats of the same weights and checkpoints
    beside the parts' folders are not among them. Raises :class:`CheckpointFault` where one that is
    needed is missing.
    """
    for name in CONFIGS:
        if name not in names:
            raise CheckpointFault(f"needs {name}")
    opened = [name for name in names if name.startswith("tokenizer/")]
    if not opened:
        raise CheckpointFault("needs a folder tokenizer/")
    for part, stem in WEIGHTS.items():
        variant = variant_of(names, part)
        opened.append(f"{part}/{stem}{f'.{variant}' if variant else ''}.safetensors")
    return sorted((INDEX, *CONFIGS, *opened))


def file_has_control(opened: BinaryIO, name: str, size: int) -> bool:
    """Whether a single-file checkpoint called ``name``, ``size`` bytes long, has a control branch.

    Reads the header of a ``.safetensors``, else the names in the pickle of a zip, which is not
    unpickled. Raises :class:`CheckpointFault`.
    """
    try:
        if name.endswith(".safetensors"):
            tensors, _ = safetensors_header(opened, size)
            return any(key.startswith(CONTROL) for key in tensors)
        return any(text.startswith(CONTROL) for text in _texts(checkpoint_pickle(opened)))
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise CheckpointFault(f"its header cannot be read ({error})") from error


def safetensors_header(opened: BinaryIO, size: int) -> tuple[dict[str, Any], int]:
    """(facts of each tensor by name, where the tensors' bytes begin). Raises ``ValueError``."""
    head = opened.read(8)
    length = struct.unpack("<Q", head)[0] if len(head) == 8 else 0
    if not 0 < length <= min(size - 8, MAX_HEADER_BYTES):
        raise ValueError("no safetensors header")
    header = load_json(opened.read(length))
    if not isinstance(header, dict):
        raise ValueError("no safetensors header")
    header.pop("__metadata__", None)
    return header, 8 + length


def checkpoint_pickle(opened: BinaryIO) -> bytes:
    """The one pickle in a zip that ``torch.save`` wrote; it is not unpickled.

    Raises ``ValueError`` or ``zipfile.BadZipFile``.
    """
    try:
        with zipfile.ZipFile(opened) as archive:
            pickles = [name for name in archive.namelist() if name.endswith(".pkl")]
            if len(pickles) != 1 or archive.getinfo(pickles[0]).file_size > MAX_HEADER_BYTES:
                raise ValueError("not a zip of tensors")
            return archive.read(pickles[0])
    except BROKEN_ZIP as error:
        raise ValueError(f"not a zip of tensors ({error})") from error


def _texts(pickled: bytes) -> Iterator[str]:
    for _, argument, _ in pickletools.genops(pickled):
        if isinstance(argument, str):
            yield argument
