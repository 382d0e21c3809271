"""How long a text may be is known without loading the model."""

from __future__ import annotations

import json
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


@pytest.mark.parametrize("text", ["crack " * 20, "\u0130" * 29, "Riß  im   Blech " * 3, "a" * 31])
def test_it_is_cut_where_the_model_cuts_it(text: str) -> None:
    from transformers import CLIPTokenizer

    ids = CLIPTokenizer.from_pretrained(str(TOKENIZER))(text, truncation=False, padding=False)
    assert text_limit("embedded").cuts(text) == (len(ids.input_ids) > 32)


def test_a_tokenizer_is_read_only_for_a_long_text(tmp_path: Path) -> None:
    (tmp_path / "model.ckpt").touch()
    limit = text_limit(str(tmp_path / "model.ckpt"))
    assert not limit.cuts("short" + " " * 900)
    with pytest.raises(InputFault, match="its tokenizer cannot be read"):
        limit.cuts("x " * 76)
