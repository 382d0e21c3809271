"""Settings by object and defect type, as the plan's YAML files give them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import fsspec

from adabldm.core.faults import InputFault
from adabldm.core.yaml_text import YamlFault, load_yaml

T = TypeVar("T")
Pair = tuple[str, str]
"""An object and one of its defect types."""

ANY = "*"


def read_yaml(option: str, uri: str) -> dict[str, Any]:
    """A YAML file that holds a mapping. Raises :class:`InputFault`."""
    try:
        with fsspec.open(uri, "rb") as handle:
            text = handle.read()
    except (OSError, ValueError, ImportError) as error:
        raise InputFault.of(option, uri, f"cannot be read ({error})") from error
    try:
        content = load_yaml(text)
    except YamlFault as fault:
        raise InputFault.of(option, uri, str(fault)) from fault
    if not isinstance(content, dict):
        raise InputFault.of(option, uri, "must hold a mapping")
    return content


def pair_of(field: str, key: object, pairs: Iterable[Pair]) -> Pair:
    """``OBJECT/TYPE`` of a key, either may be ``*``.

    Raises :class:`InputFault` if it has another form or is of none of ``pairs``.
    """
    if not isinstance(key, str) or key.count("/") != 1:
        raise InputFault.of(field, key, "must be OBJECT/TYPE; either may be *")
    item, defect = key.split("/")
    known = list(pairs)
    if not any(item in (ANY, o) and defect in (ANY, d) for o, d in known):
        shown = ", ".join("/".join(pair) for pair in known)
        raise InputFault.of(field, key, f"is of nothing in the data set ({shown})")
    return item, defect


def most_special(settings: Mapping[Pair, T], pair: Pair) -> T | None:
    """What is set for ``pair``: of it alone, of its object, of its type, or of all."""
    item, defect = pair
    for key in (pair, (item, ANY), (ANY, defect), (ANY, ANY)):
        if key in settings:
            return settings[key]
    return None
