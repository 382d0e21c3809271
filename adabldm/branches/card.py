"""What a branch is: trained weights, the base they belong to, and how they are to be asked."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, NoReturn

from adabldm.core import trimap
from adabldm.core.json_text import load_json

CARD, WEIGHTS = "branch.json", "weights.safetensors"
"""The two files of a branch's folder."""
FORMAT = 1
Form = Literal["full", "low-rank"]
FORMS: tuple[Form, ...] = ("full", "low-rank")
SURFACES = ("texture", "object")
CONTROL_TEXT = ""
TRIMAP_VALUES = {"defect": trimap.DEFECT, "object": trimap.OBJECT, "background": trimap.BACKGROUND}
_SHA256 = re.compile("[0-9a-f]{64}")


class BranchFault(ValueError):
    """A branch that cannot be used: ``field: value: rule``."""

    def __init__(self, field: str, value: object, rule: str) -> None:
        shown = repr(value)
        shown = shown if len(shown) <= 200 else shown[:200] + "..."
        super().__init__(f"{field}: {shown}: {rule}")


@dataclass(frozen=True, kw_only=True)
class BranchCard:
    """``branch.json``: what the weights beside it are.

    ``base_fingerprint`` and ``split_sha256`` are the SHA-256 of the base model and of the training
    split, ``weights_sha256`` that of the weights' file. ``form`` is ``full``, or ``low-rank`` with
    factors of at most ``rank``. ``image_size`` is the side S in pixels. ``surface`` is each
    object's trimap convention: a ``texture`` is all object, an ``object`` has a background;
    ``trimap_values`` are the trimap's constants. ``prompts`` are examples of the U-Net's text;
    ``control_text`` is the control branch's. ``training`` is free JSON.

    Raises :class:`BranchFault` naming the field, its value and the rule.
    """

    base_fingerprint: str
    form: Form
    rank: int | None
    objects: tuple[str, ...]
    defects: tuple[str, ...]
    image_size: int
    surface: Mapping[str, str]
    prompts: tuple[str, ...]
    split_sha256: str
    training: Mapping[str, Any]
    weights_sha256: str
    trimap_values: Mapping[str, int]
    control_text: str = CONTROL_TEXT

    def __post_init__(self) -> None:
        for name in ("base_fingerprint", "split_sha256", "weights_sha256"):
            value = getattr(self, name)
            hashed = isinstance(value, str) and _SHA256.fullmatch(value)
            self._require(name, hashed, "must be a SHA-256 in hexadecimal")
        self._require("form", self.form in FORMS, f"must be one of {', '.join(FORMS)}")
        if self.form == "full":
            self._require("rank", self.rank is None, "must be null for full weights")
        else:
            self._require("rank", _is_positive(self.rank), "must be a whole number of 1 or more")
        self._require("image_size", _is_positive(self.image_size), "must be 1 or more, in pixels")
        for name in ("objects", "defects", "prompts"):
            value = getattr(self, name)
            texts = isinstance(value, tuple) and all(isinstance(v, str) and v for v in value)
            self._require(name, texts and (value or name == "prompts"), "must be a list of texts")
        told = isinstance(self.surface, Mapping) and set(self.surface) == set(self.objects)
        legal = told and all(kind in SURFACES for kind in self.surface.values())
        self._require("surface", legal, f"must name {' or '.join(SURFACES)} for each object")
        same = self.trimap_values == TRIMAP_VALUES
        self._require("trimap_values", same, f"must be {TRIMAP_VALUES}")
        empty = self.control_text == CONTROL_TEXT
        self._require("control_text", empty, "must be empty: the control branch reads no prompt")
        self._require("training", isinstance(self.training, Mapping), "must be a mapping")
        try:
            self.to_json()
        except (TypeError, ValueError) as error:
            raise BranchFault("training", self.training, f"must be JSON ({error})") from error

    def _require(self, name: str, legal: object, rule: str) -> None:
        if not legal:
            raise BranchFault(name, getattr(self, name), rule)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the card's content, and by ``weights_sha256`` of the weights'."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    def to_json(self) -> str:
        """The file's text: the same for the same content."""
        content = {"format": FORMAT, **asdict(self)}
        return json.dumps(content, indent=2, sort_keys=True, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> BranchCard:
        """Read :meth:`to_json`'s text, in any layout. Raises :class:`BranchFault`."""
        try:
            content = load_json(text, parse_constant=_no_number)
        except ValueError as error:  # JSON's and Unicode's faults
            raise BranchFault(CARD, str(error), "is not JSON") from error
        if not isinstance(content, dict):
            raise BranchFault(CARD, content, "must hold a mapping")
        found = content.pop("format", None)
        if found != FORMAT:
            raise BranchFault("format", found, f"is not known; this program reads {FORMAT}")
        names = {field.name for field in fields(cls)}
        for name in sorted(names ^ content.keys()):
            rule = "is missing" if name in names else "is not a field of a branch"
            raise BranchFault(name, content.get(name), rule)
        given: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in content.items()
        }
        return cls(**given)


def _is_positive(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")
