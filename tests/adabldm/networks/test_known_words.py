"""A model that learned its words from nothing is not asked by pieces of others."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import CLIPTokenizer

from adabldm.networks import small
from adabldm.networks.embedded import embedded_path
from adabldm.networks.known_words import WORDS_ONLY, known_part
from adabldm.pipeline import AdaBLDMPipeline
from jobs.embedded_model import sets

NEVER_DRAWN = sets.ANY_NOUN[2:]
"""Nouns that no text of the training has."""
TEXTS = ["a ball screw with a scratch on the head", "a tile", "blowhole, small"]


@pytest.fixture(scope="module")
def embedded() -> AdaBLDMPipeline:
    return AdaBLDMPipeline.from_pretrained(embedded_path())


def test_every_word_it_learned_is_kept_and_others_are_left_out(tmp_path: Path) -> None:
    learned = small.build_tokenizer(TEXTS)
    learned.init_kwargs[WORDS_ONLY] = True
    learned.save_pretrained(tmp_path)
    tokenizer = CLIPTokenizer.from_pretrained(tmp_path)
    assert [known_part(tokenizer, text) for text in TEXTS[:2]] == TEXTS[:2]
    assert known_part(tokenizer, "a brake disc with a Scratch, 3 mm") == "a with a Scratch"
    assert known_part(tokenizer, "a blowholes s x") == "a"
    assert known_part(tokenizer, "Ausblühung") == ""


def test_another_tokenizers_text_stays_as_it_is() -> None:
    tokenizer = small.build_tokenizer(TEXTS)
    assert known_part(tokenizer, "a brake disc, 3 mm") == "a brake disc, 3 mm"


def test_the_embedded_model_reads_what_it_knows(embedded: AdaBLDMPipeline) -> None:
    asked = embedded.encode_prompts(["a gearbox leather with a cut", "a leather with a cut"])
    assert torch.equal(asked[0], asked[1])


def test_a_branch_has_learned_its_own_words(embedded: AdaBLDMPipeline) -> None:
    embedded.reads_every_word = True
    asked = embedded.encode_prompts(["a gearbox leather with a cut", "a leather with a cut"])
    embedded.reads_every_word = False
    assert not torch.equal(asked[0], asked[1])


def test_the_embedded_model_knows_the_words_it_was_trained_on(embedded: AdaBLDMPipeline) -> None:
    products = {**sets.NOUNS, "other": sets.ANY_NOUN}
    kinds = ("scratch", *(kind for kinds in sets.SYNONYMS.values() for kind in kinds))
    for noun in (noun for nouns in products.values() for noun in nouns if noun not in NEVER_DRAWN):
        for kind in kinds:
            text = f"a {noun} with a {kind}"
            assert known_part(embedded.tokenizer, text) == text
