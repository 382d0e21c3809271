from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from adabldm.branches.card import CARD, WEIGHTS, BranchCard, BranchFault
from adabldm.branches.files import load_branch, save_branch
from adabldm.pipeline import AdaBLDMPipeline
from tests.support.branches import base_weights, changed_weights, write_branch
from tests.support.tiny import tiny_pipeline

WHOLE = 10_000
"""A rank above every matrix's own."""


@pytest.fixture(scope="module")
def pipeline() -> AdaBLDMPipeline:
    return tiny_pipeline()


def error_of(folder: Path, base: dict[str, torch.Tensor], seed: int) -> float:
    """Largest distance of a loaded weight to the trained one, in the change's largest steps."""
    branch, trained = load_branch(folder), changed_weights(base, seed)
    assert branch.names == sorted(trained)
    return max(
        float((branch.weight(name, base[name]) - weight).abs().max())
        / float((weight - base[name]).abs().max())
        for name, weight in trained.items()
    )


def test_full_weights_come_back_to_half_precision(pipeline, tmp_path):
    base = base_weights(pipeline)
    card = write_branch(tmp_path, pipeline, 1)
    branch = load_branch(tmp_path)
    assert branch.card == card
    for name, weight in changed_weights(base, 1).items():
        assert torch.equal(branch.weight(name, base[name]), weight.half().float())


def test_at_full_rank_the_change_comes_back_to_half_precision(pipeline, tmp_path):
    write_branch(tmp_path, pipeline, 1, rank=WHOLE)
    assert error_of(tmp_path, base_weights(pipeline), 1) < 2e-3


def test_a_higher_rank_is_nearer_and_a_lower_one_smaller(pipeline, tmp_path):
    base = base_weights(pipeline)
    trained = changed_weights(base, 1)
    errors, sizes = [], []
    for rank in (1, 4, 16, WHOLE):
        folder = tmp_path / str(rank)
        write_branch(folder, pipeline, 1, rank=rank)
        branch = load_branch(folder)
        squares = [
            (branch.weight(name, base[name]) - weight).square().sum()
            for name, weight in trained.items()
        ]
        errors.append(float(torch.stack(squares).sum()))
        sizes.append((folder / WEIGHTS).stat().st_size)
    assert errors == sorted(errors, reverse=True)
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1] / 4


def test_a_change_of_low_rank_is_kept_whole_by_its_factors(pipeline, tmp_path):
    base = {n: w for n, w in base_weights(pipeline, "unet").items() if w.ndim == 4}
    trained = {
        name: weight + torch.ones(len(weight), 1, 1, 1) * 0.01 * torch.rand(weight[:1].shape)
        for name, weight in base.items()
    }
    card = write_branch(tmp_path / "other", pipeline, 1)
    save_branch(tmp_path / "thin", trained, base, rank=1, **settings_of(card))
    branch = load_branch(tmp_path / "thin")
    assert any(part.endswith(".up") for part in branch.parts)
    for name, weight in trained.items():
        assert torch.allclose(branch.weight(name, base[name]), weight, atol=2e-5)


def settings_of(card: BranchCard) -> dict:
    names = ("base_fingerprint", "objects", "defects", "image_size", "surface", "prompts")
    return {n: getattr(card, n) for n in (*names, "split_sha256", "training")}


def test_a_branch_is_the_same_bytes_when_it_is_saved_again(pipeline, tmp_path):
    first = write_branch(tmp_path / "a", pipeline, 3, rank=2)
    assert write_branch(tmp_path / "b", pipeline, 3, rank=2).fingerprint == first.fingerprint
    assert write_branch(tmp_path / "b", pipeline, 4, rank=2).fingerprint != first.fingerprint
    assert sorted(path.name for path in (tmp_path / "b").iterdir()) == [CARD, WEIGHTS]


SPOILED = [
    ({"format": 2}, "format: 2: is not known"),
    ({"rank": 4}, "rank: 4: must be null for full weights"),
    ({"form": "low-rank"}, "rank: None: must be a whole number of 1 or more"),
    ({"form": "lora"}, "form: 'lora': must be one of full, low-rank"),
    ({"base_fingerprint": "xyz"}, "base_fingerprint: 'xyz': must be a SHA-256"),
    ({"image_size": True}, "image_size: True: must be 1 or more"),
    ({"objects": []}, "objects: (): must be a list of texts"),
    ({"defects": "crack"}, "defects: 'crack': must be a list of texts"),
    ({"surface": {"nut": "object"}}, "surface: {'nut': 'object'}: must name texture or object"),
    ({"trimap_values": {"defect": 1}}, "trimap_values: {'defect': 1}: must be {'defect': 255"),
    ({"control_text": "a"}, "control_text: 'a': must be empty"),
    ({"surprise": 1}, "surprise: 1: is not a field of a branch"),
    ({"split_sha256": None}, "split_sha256: None: must be a SHA-256"),
]


@pytest.mark.parametrize(("change", "told"), SPOILED, ids=[told for _, told in SPOILED])
def test_a_spoiled_card_is_refused_by_field_value_and_rule(change, told, pipeline, tmp_path):
    write_branch(tmp_path, pipeline, 1)
    content = json.loads((tmp_path / CARD).read_text())
    (tmp_path / CARD).write_text(json.dumps(content | change))
    with pytest.raises(BranchFault) as refused:
        load_branch(tmp_path)
    assert str(refused.value).startswith(told)


def test_every_field_of_a_card_is_needed(pipeline, tmp_path):
    write_branch(tmp_path, pipeline, 1)
    content = json.loads((tmp_path / CARD).read_text())
    for name in content:
        rest = json.dumps({n: value for n, value in content.items() if n != name})
        with pytest.raises(BranchFault, match=name):
            BranchCard.from_json(rest)


@pytest.mark.parametrize("text", [b"", b"[]", b"\xff", b'{"format": 1, "training": NaN}'])
def test_what_is_no_card_is_refused(text):
    with pytest.raises(BranchFault):
        BranchCard.from_json(text)


def test_weights_that_are_not_the_cards_are_refused(pipeline, tmp_path):
    write_branch(tmp_path, pipeline, 1)
    file = tmp_path / WEIGHTS
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(BranchFault, match="weights_sha256"):
        load_branch(tmp_path)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"vae.weight": torch.zeros(1)}, "trained: 'vae.weight': must be the base's"),
        ({"unet.none": torch.zeros(1)}, "trained: 'unet.none': must be the base's"),
        ({"unet.conv_in.bias": torch.zeros(3)}, "unet.conv_in.bias: (3,): must be of the base's"),
        ({"unet.conv_in.bias": torch.full((32,), 1e6)}, "trained: 'unet.conv_in.bias': must be f"),
    ],
)
def test_weights_that_cannot_be_kept_are_refused_and_nothing_is_written(
    change, told, pipeline, tmp_path
):
    card = write_branch(tmp_path / "other", pipeline, 1)
    base = base_weights(pipeline, "unet")
    with pytest.raises(BranchFault) as refused:
        save_branch(tmp_path / "new", base | change, base, rank=None, **settings_of(card))
    assert str(refused.value).startswith(told)
    assert not (tmp_path / "new").exists()
