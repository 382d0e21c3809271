"""How much text a model reads, known without loading it."""

from __future__ import annotations

import tempfile
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from adabldm.core.faults import InputFault
from adabldm.core.json_text import load_json
from cluster.models.inspect import model_location, single_file_companions
from cluster.storage.location import Location

CLIP_TOKENS = 77
"""Of the text encoder in a single-file checkpoint."""
MARKS = 2
"""Tokens that begin and end every text."""
GROWTH = 3
"""The most by which lower case and Unicode's composed form lengthen a text in UTF-8."""
KEPT_TEXTS, KEPT_WORDS = 200_000, 200_000


class TextLimit:
    """What lies beyond ``tokens`` tokens, begin and end included, is cut off a text by the model
    whose tokenizer's files are in ``folder``. They are read when the first long text comes."""

    def __init__(self, tokens: int, folder: Location) -> None:
        self.tokens = tokens
        self._folder = folder
        self._cuts = lru_cache(KEPT_TEXTS)(self._exceeds)
        self._tokens_of = lru_cache(KEPT_WORDS)(self._count)

    def cuts(self, text: str) -> bool:
        """Whether ``text`` is cut. Raises :class:`InputFault` for a tokenizer that cannot be
        read."""
        # A token is at least a byte, and blanks are none.
        if text.isascii() and len(text) + MARKS <= self.tokens:
            return False
        return self._cuts(text)

    def _exceeds(self, text: str) -> bool:
        packed = "".join(text.split())
        most = len(packed) if packed.isascii() else GROWTH * len(packed.encode(errors="replace"))
        if most + MARKS <= self.tokens:
            return False
        # No token holds a blank, so that a text has the tokens of its words.
        return sum(map(self._tokens_of, text.split())) + MARKS > self.tokens

    def _count(self, word: str) -> int:
        try:
            return len(self._tokenizer(word, truncation=False, padding=False).input_ids) - MARKS
        except UnicodeEncodeError:
            return 0  # It is no text; the row has a fault of its own.

    @cached_property
    def _tokenizer(self) -> Any:
        from transformers import CLIPTokenizer
        from transformers.utils import logging

        logging.set_verbosity_error()  # It would warn of what is looked for here.
        try:
            names = list(self._folder.files())
            if not {"tokenizer.json", "vocab.json"} & set(names):
                raise ValueError("neither tokenizer.json nor vocab.json is there")
            with tempfile.TemporaryDirectory(prefix="adabldm-") as copied:
                for name in names:
                    copy = Path(copied, name)
                    copy.parent.mkdir(parents=True, exist_ok=True)
                    copy.write_bytes(self._folder.join(name).read())
                return CLIPTokenizer.from_pretrained(copied, local_files_only=True)
        except Exception as error:  # whatever the file's own readers raise
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            rule = f"its tokenizer cannot be read ({reason})"
            raise InputFault.of("model", self._folder.shown, rule) from error


def text_limit(uri: str) -> TextLimit:
    """The limit of the model whose files are at ``uri``. Raises :class:`InputFault`."""
    place = model_location(uri)
    if not place.is_folder():
        return TextLimit(CLIP_TOKENS, single_file_companions(place)[0])
    config = place.join("text_encoder/config.json")
    try:
        tokens = int(load_json(config.read()).get("max_position_embeddings", CLIP_TOKENS))
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise InputFault.of("model", config.shown, f"cannot be read ({error})") from error
    return TextLimit(tokens, place.join("tokenizer"))
