"""The texts that training examples go with; needs no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from adabldm.core.faults import InputFault
from adabldm.core.objects import ObjectFolder
from adabldm.planning.prompts import PromptBook, read_prompts, with_article

Texts = Mapping[tuple[str, str | None], tuple[str, ...]]
"""Texts by object and defect type (None: a good picture); an example has one of them."""


def training_texts(
    objects: Sequence[ObjectFolder], object_name: str | None = None, prompts: str | None = None
) -> Texts:
    """The texts of every type, and of good pictures.

    ``object_name`` is the object's noun, its folder's name by default; ``prompts`` is the URI of a
    prompts file. Raises :class:`InputFault`.
    """
    if object_name and len(objects) > 1:
        raise InputFault.of("--object-name", object_name, f"names one of {len(objects)} objects")
    pairs = [(folder.name, name) for folder in objects for name in folder.defect_types]
    book = read_prompts(prompts, pairs) if prompts else PromptBook()
    texts: dict[tuple[str, str | None], tuple[str, ...]] = {}
    for folder in objects:
        noun = object_name or folder.name.replace("_", " ")
        texts[folder.name, None] = (with_article(noun),)
        for name in folder.defect_types:
            texts[folder.name, name] = tuple(book.prompts(folder.name, name, noun))
    return texts
