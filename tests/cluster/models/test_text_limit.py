"""How long a text may be is known without loading the model."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import pytest

from adabldm.core.faults import InputFault
from adabldm.networks.embedded import embedded_path
from cluster.models.text_limit import text_limit

TOKENIZER = Path(str(embedded_path())) / "tokenizer"


def test_a_folder_s_limit_is_its_text_encoder_s(tmp_path: Path) -> None:
    (tmp_path / "text_encoder").mkdir()
    (tmp_path / "text_encoder/config.json").write_text(json.dumps({"max_position_embeddings": 9}))
    shutil.copytree(TOKENIZER, tmp_path / "tokenizer")
    limit = text_limit(str(tmp_path))
    assert limit.tokens == 9
    assert not limit.cuts("a crack")
    assert limit.cuts("x y z " * 3)


def test_a_single_file_has_the_limit_of_clip_and_its_tokenizer_beside_it(tmp_path: Path) -> None:
    (tmp_path / "model.ckpt").touch()
    shutil.copytree(TOKENIZER, tmp_path / "tokenizer")
    limit = text_limit(str(tmp_path / "model.ckpt"))
    assert limit.tokens == 77
    assert not limit.cuts("x " * 75)
    assert limit.cuts("x " * 76)


PIECES = (
    "crack",
    "it's",
    "3.5 mm",
    "Riß",
    "\u0130",
    "e\u0301",
    "<|endoftext|>",
    "(a,b)",
    "\u4e2d",
    "  ",
)


def test_it_is_cut_where_the_model_cuts_it() -> None:
    from transformers import CLIPTokenizer

    tokenizer = CLIPTokenizer.from_pretrained(str(TOKENIZER))
    limit = text_limit("embedded")
    for seed in range(400):
        rng = random.Random(seed)  # noqa: S311
        pieces = [rng.choice(PIECES) for _ in range(rng.randint(5, 20))]
        text = rng.choice(("", " ", "\n", "\u00a0")).join(pieces)
        ids = tokenizer(text, truncation=False, padding=False).input_ids
        assert limit.cuts(text) == (len(ids) > limit.tokens), text


def test_a_tokenizer_is_read_only_for_a_long_text(tmp_path: Path) -> None:
    (tmp_path / "model.ckpt").touch()
    limit = text_limit(str(tmp_path / "model.ckpt"))
    assert not limit.cuts("short" + " " * 900)
    with pytest.raises(InputFault, match="its tokenizer cannot be read"):
        limit.cuts("x " * 76)
