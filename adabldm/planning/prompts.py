"""Prompts: templates and synonyms by object and defect type, or captions as they stand."""

from __future__ import annotations

import string
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from adabldm.core.faults import InputFault
from adabldm.planning.scopes import ANY, Pair, most_special, pair_of, read_yaml

OPTION = "--prompts"
DEFAULT_TEMPLATE = "{an_object} with {a_defect}"
PLACES = ("object", "defect", "an_object", "a_defect")
PARTS = ("templates", "objects", "defects", "captions")
MOST_PROMPTS = 100_000
"""Prompts of one object and type."""


def with_article(noun: str) -> str:
    """``a crack``, ``an open seam``."""
    return f"{'an' if noun[:1].lower() in set('aeiou') else 'a'} {noun}"


def fill(template: str, noun: str, defect: str) -> str:
    """``{object}``, ``{defect}``, and with their articles ``{an_object}``, ``{a_defect}``."""
    return template.format(
        object=noun, defect=defect, an_object=with_article(noun), a_defect=with_article(defect)
    )


def prompt_for(noun: str, defect: str) -> str:
    """``a metal nut with a deep scratch``."""
    return fill(DEFAULT_TEMPLATE, noun, defect.replace("_", " "))


@dataclass(frozen=True, kw_only=True)
class PromptBook:
    """What ``--prompts`` holds; each mapping is empty where the file says nothing."""

    templates: Mapping[Pair, tuple[str, ...]] = field(default_factory=dict)
    objects: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    defects: Mapping[Pair, tuple[str, ...]] = field(default_factory=dict)
    captions: Mapping[Pair, tuple[str, ...]] = field(default_factory=dict)

    def prompts(self, item: str, defect: str, noun: str) -> list[str]:
        """All prompts of an object's defect type, each once; ``noun`` unless the file has some.

        Captions, where there are some, are the prompts. Raises :class:`InputFault` for too many.
        """
        pair = item, defect
        captions = most_special(self.captions, pair)
        if captions:
            return list(dict.fromkeys(captions))
        templates = most_special(self.templates, pair) or (DEFAULT_TEMPLATE,)
        nouns = self.objects.get(item) or (noun,)
        defects = most_special(self.defects, pair) or (defect.replace("_", " "),)
        count = len(templates) * len(nouns) * len(defects)
        if count > MOST_PROMPTS:
            raise InputFault.of(OPTION, f"{item}/{defect}", f"has more than {MOST_PROMPTS} prompts")
        filled = (fill(t, n, d) for t, n, d in product(templates, nouns, defects))
        return list(dict.fromkeys(filled))


def read_prompts(uri: str, pairs: Iterable[Pair]) -> PromptBook:
    """Read a prompts file; ``pairs`` are the objects and types of the data set.

    Raises :class:`InputFault` for a file that cannot be read, and with every fault of its
    content.
    """
    content = read_yaml(OPTION, uri)
    known = list(pairs)
    faults: list[str] = []
    for name in content:
        if name not in PARTS:
            faults += InputFault.of(OPTION, name, f"must be one of {', '.join(PARTS)}").lines
    templates = content.get("templates")
    if isinstance(templates, list):
        content["templates"] = {f"{ANY}/{ANY}": templates}
    book = PromptBook(
        templates=_by_pair(content, "templates", known, faults),
        objects=_by_object(content, known, faults),
        defects=_by_pair(content, "defects", known, faults),
        captions=_by_pair(content, "captions", known, faults),
    )
    for pair, texts in book.templates.items():
        for text in texts:
            if rule := _template_fault(text):
                place = f"{OPTION}: templates.{'/'.join(pair)}"
                faults += InputFault.of(place, text, rule).lines
    if faults:
        raise InputFault(*faults)
    return book


def _template_fault(template: str) -> str | None:
    try:
        names = [
            (name, spec or conversion)
            for _, name, spec, conversion in string.Formatter().parse(template)
            if name is not None
        ]
    except ValueError as error:
        return f"is no template ({error})"
    for name, extra in names:
        if name not in PLACES or extra:
            shown = ", ".join(f"{{{place}}}" for place in PLACES)
            return f"{{{name}}} is not one of {shown}"
    return None


def _entries(content: Mapping[str, Any], part: str, faults: list[str]) -> Mapping[Any, Any]:
    found = content.get(part)
    if found is None:
        return {}
    if not isinstance(found, dict):
        faults += InputFault.of(f"{OPTION}: {part}", found, "must be a mapping").lines
        return {}
    return found


def _texts(place: str, value: object, faults: list[str]) -> tuple[str, ...]:
    texts = [value] if isinstance(value, str) else value
    if isinstance(texts, list) and texts and all(isinstance(t, str) and t.strip() for t in texts):
        return tuple(texts)
    faults += InputFault.of(place, value, "must be a text or a list of some").lines
    return ()


def _by_pair(
    content: Mapping[str, Any], part: str, known: list[Pair], faults: list[str]
) -> dict[Pair, tuple[str, ...]]:
    found: dict[Pair, tuple[str, ...]] = {}
    for key, value in _entries(content, part, faults).items():
        place = f"{OPTION}: {part}"
        try:
            pair = pair_of(place, key, known)
            found[pair] = _texts(f"{place}.{key}", value, faults)
        except InputFault as fault:
            faults += fault.lines
    return found


def _by_object(
    content: Mapping[str, Any], known: list[Pair], faults: list[str]
) -> dict[str, tuple[str, ...]]:
    items = sorted({item for item, _ in known})
    found: dict[str, tuple[str, ...]] = {}
    for key, value in _entries(content, "objects", faults).items():
        place = f"{OPTION}: objects"
        if key not in items:
            faults += InputFault.of(place, key, f"must be one of {', '.join(items)}").lines
        else:
            found[key] = _texts(f"{place}.{key}", value, faults)
    return found
