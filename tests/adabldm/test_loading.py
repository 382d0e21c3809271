"""Any published model is a start: a fresh control branch that changes nothing yet, or its own."""

from __future__ import annotations

import json
import shutil
import sys
import types
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from adabldm import AdaBLDMPipeline
from adabldm.loading import HINT_CHANNELS, fresh_control_branch, open_base
from adabldm.networks import ldm_checkpoint
from adabldm.networks.ldm_checkpoint import CheckpointFault, authors_scheduler
from adabldm.sampling.ddim import cumulative_alphas
from tests.support.starts import IGNORED, add_ignored, sd_file, sd_folder
from tests.support.tiny import FEW_STEPS, SIDE, requests, tiny_pipeline


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Stable Diffusion folder as it is published, with what must not be opened."""
    made = sd_folder(tmp_path_factory.mktemp("sd") / "sd")
    add_ignored(made)
    return made


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    """One that a test may spoil."""
    return Path(shutil.copytree(folder, tmp_path / "sd"))


def equal(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    ours, theirs = one.state_dict(), other.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[k], theirs[k]) for k in ours)


def predictions(pipeline: AdaBLDMPipeline) -> tuple[list, torch.Tensor, torch.Tensor]:
    """The control branch's residuals, the noise prediction with them and that without."""
    torch.manual_seed(1)
    z, hint = torch.randn(2, 4, 8, 8), torch.rand(2, 3, SIDE, SIDE)
    text = torch.randn(2, 5, pipeline.unet.config.cross_attention_dim)
    with torch.no_grad():
        down, middle = pipeline.controlnet(z, 301, text, hint, return_dict=False)
        with_control = pipeline.unet(
            z,
            301,
            text,
            down_block_additional_residuals=down,
            mid_block_additional_residual=middle,
        ).sample
        return [*down, middle], with_control, pipeline.unet(z, 301, text).sample


def check_fresh(pipeline: AdaBLDMPipeline) -> None:
    """The control branch is a copy of the encoder half and changes no bit of a prediction."""
    control, unet = pipeline.controlnet, pipeline.unet
    for name in ("conv_in", "time_embedding", "down_blocks", "mid_block"):
        assert equal(getattr(control, name), getattr(unet, name))
    assert tuple(control.config.conditioning_embedding_out_channels) == HINT_CHANNELS
    residuals, with_control, without = predictions(pipeline)
    assert not any(residual.any() for residual in residuals)
    assert torch.equal(with_control, without)
    assert without.any()


def test_a_stable_diffusion_folder_opens_with_a_control_branch_that_changes_nothing(
    folder: Path,
) -> None:
    original, pipeline = tiny_pipeline(), open_base(folder)
    for part in ("unet", "vae", "text_encoder"):
        assert equal(getattr(pipeline, part), getattr(original, part))
    assert pipeline.image_size == 256
    assert torch.equal(
        cumulative_alphas(pipeline.scheduler), cumulative_alphas(authors_scheduler())
    )
    assert dict(pipeline.scheduler.config).items() >= {"set_alpha_to_one": False}.items()
    assert torch.equal(pipeline.encode_prompts(["a crack"]), original.encode_prompts(["a crack"]))
    check_fresh(pipeline)


@pytest.mark.shared
@pytest.mark.parametrize("name", ["sd.safetensors", "sd.ckpt"])
def test_a_stable_diffusion_file_opens_with_a_control_branch_that_changes_nothing(
    name: str, shared: Path, tmp_path: Path
) -> None:
    file = sd_file(shared / "reference/a", tmp_path, name)
    pipeline = open_base(file, image_size=SIDE)
    assert pipeline.image_size == SIDE
    assert pipeline.unet.config.attention_head_dim == 4
    assert pipeline.encode_prompts(["a crack"]).isfinite().all()
    check_fresh(pipeline)


@pytest.mark.shared
@pytest.mark.parametrize("name", ["model.safetensors", "model.ckpt"])
def test_a_file_with_a_control_branch_keeps_it(name: str, shared: Path, tmp_path: Path) -> None:
    file = sd_file(shared / "reference/a", tmp_path, name, control=True)
    pipeline = open_base(file)
    other = AdaBLDMPipeline.from_single_file(file, config=file.with_suffix(".yaml"))
    assert equal(pipeline.controlnet, other.controlnet)
    assert any(residual.any() for residual in predictions(pipeline)[0])


def test_a_saved_pipeline_opens_as_it_is(tmp_path: Path) -> None:
    pipeline = tiny_pipeline()
    pipeline.save_pretrained(tmp_path)
    assert equal(open_base(tmp_path).controlnet, pipeline.controlnet)
    assert open_base(tmp_path).image_size == SIDE
    assert open_base(tmp_path, image_size=128).image_size == 128


def test_an_opened_start_is_saved_and_comes_back(folder: Path, tmp_path: Path) -> None:
    pipeline = open_base(folder, image_size=SIDE)
    pipeline.save_pretrained(tmp_path, safe_serialization=True)
    again = AdaBLDMPipeline.from_pretrained(tmp_path)
    assert again.image_size == SIDE
    for part in ("unet", "controlnet", "vae", "text_encoder"):
        assert equal(getattr(again, part), getattr(pipeline, part))
    asked = requests(1)
    made = [one(**asked, options=FEW_STEPS).images[0] for one in (pipeline, again)]
    assert np.array_equal(*made)


def test_fresh_branches_are_alike_and_disturb_no_random_draw(folder: Path) -> None:
    unet = open_base(folder).unet
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first = fresh_control_branch(unet)
    assert torch.equal(torch.rand(3), expected)
    assert equal(first, fresh_control_branch(unet))


def test_weights_that_are_only_there_in_half_precision_are_used_in_single(copy: Path) -> None:
    for part in ("unet/diffusion_pytorch_model", "text_encoder/model"):
        plain = copy / f"{part}.safetensors"
        half = {k: v.half() if v.is_floating_point() else v for k, v in load_file(plain).items()}
        save_file(half, copy / f"{part}.fp16.safetensors", metadata={"format": "pt"})
        plain.unlink()
    pipeline = open_base(copy)
    assert pipeline.unet.dtype == pipeline.text_encoder.dtype == torch.float32
    assert torch.equal(
        pipeline.unet.conv_in.weight, tiny_pipeline().unet.conv_in.weight.half().float()
    )
    check_fresh(pipeline)


def test_the_scheduler_has_the_bases_own_betas(tmp_path: Path) -> None:
    own = {"beta_start": 0.0015, "beta_end": 0.0195}
    pipeline = open_base(sd_folder(tmp_path, scheduler=own))
    assert dict(pipeline.scheduler.config).items() >= own.items()
    assert pipeline.scheduler.config.timestep_spacing == "leading"


def test_the_files_beside_the_weights_are_there_and_were_not_opened(folder: Path) -> None:
    assert all((folder / name).exists() for name in IGNORED)
    assert open_base(folder).image_size == 256


@pytest.mark.shared
def test_a_trainers_own_notes_in_a_ckpt_are_passed_over(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stable Diffusion's own .ckpt files name their trainer's class and hold NumPy numbers."""
    from cluster.models.kinds import inspect_model

    module = types.ModuleType("pytorch_lightning.callbacks.model_checkpoint")
    kind = type("ModelCheckpoint", (), {"__module__": module.__name__})
    module.ModelCheckpoint = kind  # type: ignore[attr-defined]
    file = sd_file(shared / "reference/a", tmp_path, "sd.ckpt")
    content = torch.load(file, weights_only=True)
    with monkeypatch.context() as patched:
        patched.setitem(sys.modules, "pytorch_lightning", types.ModuleType("pytorch_lightning"))
        patched.setitem(sys.modules, "pytorch_lightning.callbacks", types.ModuleType("callbacks"))
        patched.setitem(sys.modules, module.__name__, module)
        notes = {"callbacks": {kind: {"best_model_score": np.float64(0.5)}}}
        torch.save(content | notes, file)
    weights = ldm_checkpoint.read_weights(file, needed=(ldm_checkpoint.UNET,))
    assert all(torch.equal(weights[key], content["state_dict"][key]) for key in weights)
    facts = inspect_model(str(file))
    assert not facts.has_control_branch
    assert len(facts.fingerprint) == 64


def index_names(kind: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        (folder / "model_index.json").write_text(json.dumps({"_class_name": kind}))

    return spoil


def without(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def setting(name: str, **changes: object) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        config = json.loads((folder / name).read_text()) | changes
        (folder / name).write_text(json.dumps(config))

    return spoil


def lose_a_tensor(folder: Path) -> None:
    file = folder / "unet/diffusion_pytorch_model.safetensors"
    tensors = load_file(file)
    tensors.pop("conv_in.weight")
    save_file(tensors, file, metadata={"format": "pt"})


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (shutil.rmtree, "there is no such file or folder"),
        (without("model_index.json"), "a model folder has a model_index.json"),
        (index_names("StableDiffusionXLPipeline"), "names 'StableDiffusionXLPipeline', it must be"),
        (lambda folder: (folder / "model_index.json").write_text("["), "is not a JSON object"),
        (without("vae/config.json"), "needs vae/config.json"),
        (
            without("unet/diffusion_pytorch_model.safetensors"),
            "needs unet/diffusion_pytorch_model.safetensors or .*fp16.*, it holds unet/.*[.]bin",
        ),
        (lambda folder: shutil.rmtree(folder / "tokenizer"), "needs a folder tokenizer/"),
        (lose_a_tensor, "unet: 1 weights are missing, as conv_in.weight"),
        (
            setting("scheduler/scheduler_config.json", prediction_type="v_prediction"),
            "scheduler.prediction_type: 'v_prediction': must be 'epsilon'",
        ),
        (
            setting("scheduler/scheduler_config.json", num_train_timesteps=500),
            "scheduler.num_train_timesteps: 500: must be 1000",
        ),
    ],
)
def test_what_is_no_start_is_refused_in_one_line(
    spoil: Callable[[Path], None], expected: str, copy: Path
) -> None:
    spoil(copy)
    with pytest.raises(CheckpointFault, match=expected) as refused:
        open_base(copy)
    assert str(refused.value).startswith(str(copy))
    assert "\n" not in str(refused.value)


def test_an_inpainting_model_is_refused(tmp_path: Path) -> None:
    pipeline = tiny_pipeline()
    config = dict(pipeline.unet.config) | {"in_channels": 9}
    pipeline.register_modules(unet=type(pipeline.unet).from_config(config))
    with pytest.raises(CheckpointFault, match=r"unet\.in_channels: 9: must be the vae's 4"):
        open_base(sd_folder(tmp_path, of=pipeline))


@pytest.mark.parametrize("size", [0, 250])
def test_a_size_that_the_latents_cannot_have_is_refused(size: int, folder: Path) -> None:
    with pytest.raises(CheckpointFault, match=f"image_size: {size}: must be a multiple of"):
        open_base(folder, image_size=size)


@pytest.mark.shared
def test_a_file_without_its_words_or_its_text_encoder_is_refused(
    shared: Path, tmp_path: Path
) -> None:
    file = sd_file(shared / "reference/a", tmp_path, "sd.safetensors")
    shutil.rmtree(tmp_path / "tokenizer")
    with pytest.raises(CheckpointFault, match="has a folder 'tokenizer' beside it"):
        open_base(file)
    rest = {k: v for k, v in load_file(file).items() if not k.startswith(ldm_checkpoint.TEXT)}
    save_file(rest, file)
    with pytest.raises(CheckpointFault, match="a CLIP text encoder is needed"):
        open_base(file)


def test_a_file_of_other_weights_and_a_missing_tokenizer_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "lora.safetensors"
    save_file({"lora_unet.weight": torch.zeros(2)}, file)
    with pytest.raises(CheckpointFault, match=r"no tensor is named model\.diffusion_model\.\*"):
        open_base(file)
    named = {
        ldm_checkpoint.UNET + "x": torch.zeros(2),
        ldm_checkpoint.AUTOENCODER + "x": torch.zeros(2),
    }
    save_file(named, file)
    with pytest.raises(CheckpointFault, match=r"lora\.safetensors: no tensor is named"):
        open_base(file)
    with pytest.raises(CheckpointFault, match="tokenizer: 'nowhere': there is no such folder"):
        open_base(file, tokenizer="nowhere")
