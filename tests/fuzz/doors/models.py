"""Models and branches, looked at without being loaded; and what binds an output."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

from adabldm.branches.card import TRIMAP_VALUES, BranchFault
from adabldm.core.faults import InputFault, JobFault
from cluster.models.catalog import open_branches, read_branch, refuse_other_weights
from cluster.models.inspect import ModelFacts
from cluster.models.kinds import inspect_model
from cluster.output.run_json import RunBinding
from cluster.storage.hashing import sha256
from cluster.storage.location import Location
from tests.fuzz.case import Case
from tests.fuzz.spoiling import spoil
from tests.fuzz.texts import any_json

WEIGHTS = save({"control_model.a": np.zeros((2, 2), np.float32), "b": np.ones(3, np.float32)})
FINGERPRINT = "ab" * 32


def run(case: Case) -> None:
    case.rng.choice((_folder, _stable_diffusion, _single_file, _branch, _run_json))(case)


def _put(case: Case, root: Path, files: dict[str, bytes]) -> None:
    """Write ``files``, some of them spoiled, left out or folders."""
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        how = case.rng.random()
        if how < 0.08:
            continue
        if how < 0.12:
            path.mkdir()
        elif how < 0.22:
            path.write_bytes(spoil(case.rng, data))
        elif how < 0.25:
            path.symlink_to(case.rng.choice(("nowhere", path.name, "..")))
        else:
            path.write_bytes(data)


def _inspect(case: Case, uri: Path) -> None:
    facts = case.call("inspect", (InputFault,), lambda: inspect_model(str(uri))).value
    if facts is not None:
        again = case.call("inspect", (InputFault,), lambda: inspect_model(str(uri))).value
        case.require("inspect", again == facts, "two looks differ", (facts, again))


def _folder(case: Case) -> None:
    index = {"_class_name": "AdaBLDMPipeline", "controlnet": ["diffusers", "ControlNetModel"],
             "image_size": case.rng.choice((64, None))}  # fmt: skip
    unet: dict[str, Any] = {"sample_size": 8}
    vae: dict[str, Any] = {"block_out_channels": [8, 8, 8, 8]}
    files = {
        "model_index.json": any_json(case, index),
        "unet/config.json": any_json(case, unet),
        "vae/config.json": any_json(case, vae),
        "unet/diffusion_pytorch_model.safetensors": _weights(case),
    }
    if case.rng.random() < 0.1:
        files["unet/x.bin"] = b"x"
    _put(case, case.folder / "model", files)
    _inspect(case, case.folder / "model")


def _stable_diffusion(case: Case) -> None:
    files = {"model_index.json": any_json(case, {"_class_name": "StableDiffusionPipeline"})}
    for part, stem in (("vae", "diffusion_pytorch_model"), ("unet", "diffusion_pytorch_model"),
                       ("text_encoder", "model")):  # fmt: skip
        files[f"{part}/config.json"] = b"{}"
        variant = case.rng.choice(("", "", ".fp16"))
        files[f"{part}/{stem}{variant}.safetensors"] = _weights(case)
    files |= {"scheduler/scheduler_config.json": b"{}", "tokenizer/vocab.json": b"{}"}
    _put(case, case.folder / "model", files)
    _inspect(case, case.folder / "model")


def _single_file(case: Case) -> None:
    name = case.rng.choice(("m.safetensors", "m.ckpt", "m.pt", "m.zip"))
    data = _weights(case) if name.endswith("safetensors") else _zip(case)
    _put(case, case.folder, {name: data, "tokenizer/vocab.json": b"{}", "m.yaml": b"a: b\n"})
    _inspect(case, case.folder / name)


def _zip(case: Case) -> bytes:
    content: Any = {
        "state_dict": {"control_model.a": 1},
        "x": case.rng.choice((1, "a", b"b", 2**70)),
    }
    pickled = pickle.dumps(content, case.rng.choice((0, 2, 4)))
    if case.rng.random() < 0.4:
        pickled = spoil(case.rng, pickled)
    buffer = io.BytesIO()
    packing = case.rng.choice(
        (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
    )
    with zipfile.ZipFile(buffer, "w", packing) as archive:
        archive.writestr("archive/data.pkl", pickled)
        if case.rng.random() < 0.1:
            archive.writestr("archive/more.pkl", pickled)
    data = buffer.getvalue()
    return spoil(case.rng, data) if case.rng.random() < 0.4 else data


def _weights(case: Case) -> bytes:
    if case.rng.random() < 0.6:
        return WEIGHTS
    length = int.from_bytes(WEIGHTS[:8], "little")
    header = any_json(case, json.loads(WEIGHTS[8 : 8 + length]))
    return len(header).to_bytes(8, "little") + header + WEIGHTS[8 + length :]


def _branch(case: Case) -> None:
    card = {
        "format": 1, "base_fingerprint": FINGERPRINT, "form": "full", "rank": None,
        "objects": ["o"],
        "defects": ["d"], "image_size": 64, "surface": {"o": "texture"}, "prompts": ["p"],
        "split_sha256": "cd" * 32, "training": {"steps": 1}, "weights_sha256": sha256(WEIGHTS),
        "trimap_values": TRIMAP_VALUES, "control_text": "",
    }  # fmt: skip
    root = case.folder / "branches" / "o" / "d"
    _put(case, root, {"branch.json": any_json(case, card), "weights.safetensors": _weights(case)})
    base = ModelFacts(uri="base", fingerprint=FINGERPRINT)
    place = Location.of(str(root))
    found = case.call("branch", (BranchFault,), lambda: read_branch(place, base)).value
    if found is not None:
        case.call("branch weights", (BranchFault,), lambda: refuse_other_weights(found) or True)
    folder = str(case.folder / "branches")
    named = case.rng.choice(([], [f"a={root}"], ["x"], [f"..={root}"], ["a=s3x://y"], ["=x"]))
    answer = case.call("branches", (InputFault,), lambda: open_branches(named, folder, base))
    if answer.accepted:
        case.require("branches", found is not None, "takes a branch that is refused alone")


def _run_json(case: Case) -> None:
    binding = RunBinding(
        model="m", model_fingerprint="f" * 64, config={"mode": "exact", "steps": 5}
    )
    held = {"schema_version": 1, "created": "x", "adabldm_version": "0", "model": "m",
            "model_fingerprint": "f" * 64, "config": {"mode": "exact", "steps": 5},
            "config_fingerprint": binding.config_fingerprint}  # fmt: skip
    _put(case, case.folder, {"run.json": any_json(case, held)})
    place = Location.of(str(case.folder))
    case.call("run.json", (InputFault, JobFault), lambda: (binding.check(place),))
