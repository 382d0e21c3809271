"""Texts for the embedded model, which learned its words from nothing: others are left out.

The pieces of an unknown word are no word to such a model. With them it draws what it was not asked
for; without them, what the known words and the mask say.
"""

from __future__ import annotations

import re

from transformers import CLIPTokenizer

WORDS_ONLY = "words_only"
"""A tokenizer's setting: its model's words, each one token, are all that the model knows. Only for
texts of plain words: numbers, and names in capitals, are several tokens however often seen."""
_WORDS = re.compile(r"\w+")


def known_part(tokenizer: CLIPTokenizer, text: str) -> str:
    """``text`` without the words, numbers and signs that a :data:`WORDS_ONLY` model never saw, ""
    if it knows none; for any other tokenizer ``text``."""
    if not tokenizer.init_kwargs.get(WORDS_ONLY):
        return text
    return " ".join(word for word in _WORDS.findall(text) if _is_known(tokenizer, word))


def _is_known(tokenizer: CLIPTokenizer, word: str) -> bool:
    """Letters and signs are tokens whether they were words or not; of these "a" was one."""
    return len(tokenizer.tokenize(word)) == 1 and (len(word) > 1 or word.lower() == "a")
