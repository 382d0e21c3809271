"""What ``adabldm plan`` draws beyond one real mask an image, as the command line says it."""

from __future__ import annotations

import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from adabldm.core.faults import InputFault

if TYPE_CHECKING:
    from adabldm.core.objects import ObjectFolder
    from adabldm.planning.planner import Variety
    from adabldm.planning.sources import MaskKind

MOST_DEFECTS = 16
MASK_KINDS: tuple[MaskKind, ...] = ("real", "noise", "morph")
Where = Literal["anywhere", "like-real"]
"""How places are drawn: all of an object alike, or those like the real defects' more often."""
MODEL_PLACES = ("object", "defect")


@dataclass(frozen=True, kw_only=True)
class VarietyOptions:
    """``masks`` as in ``real=0.6,noise=0.4``, ``defects_per_image`` as in ``1:3``; ``prompts`` and
    ``regions`` are the URIs of YAML files; ``captions`` is whether a real defect's caption is its
    prompt; ``where`` is how places are drawn; ``looks`` is whether rows say how their real defects
    look."""

    masks: str = "real"
    defects_per_image: str = "1"
    captions: bool = True
    prompts: str | None = None
    regions: str | None = None
    where: Where = "like-real"
    looks: bool = True


def read_variety(options: VarietyOptions, objects: Sequence[ObjectFolder]) -> Variety:
    """The options read and checked. Raises :class:`InputFault`."""
    from adabldm.planning.planner import Variety
    from adabldm.planning.prompts import PromptBook, read_prompts
    from adabldm.planning.region_file import read_regions

    pairs = [(folder.name, defect) for folder in objects for defect in folder.defect_types]
    return Variety(
        masks=mask_shares(options.masks),
        defects=defect_counts(options.defects_per_image),
        captions=options.captions,
        prompts=read_prompts(options.prompts, pairs) if options.prompts else PromptBook(),
        regions=read_regions(options.regions, pairs) if options.regions else {},
    )


def mask_shares(text: str) -> dict[MaskKind, float]:
    """``real=0.6,noise=0.4``, or ``real,noise`` for equal shares. Raises :class:`InputFault`."""
    shares: dict[MaskKind, float] = {}
    for part in text.split(","):
        name, _, share = part.strip().partition("=")
        kind = next((kind for kind in MASK_KINDS if kind == name), None)
        if kind is None or kind in shares:
            raise InputFault.of("--masks", text, f"names each of {', '.join(MASK_KINDS)} once")
        try:
            shares[kind] = float(share or 1)
        except ValueError:
            shares[kind] = -1
        if not 0 < shares[kind] < 1e9:
            raise InputFault.of("--masks", text, "a share is a number above 0")
    return shares


def defect_counts(text: str) -> tuple[int, int]:
    """``MIN:MAX`` or a single number. Raises :class:`InputFault`."""
    least, colon, most = text.partition(":")
    rule = f"is MIN:MAX with 1 <= MIN <= MAX <= {MOST_DEFECTS}"
    try:
        found = int(least), int(most if colon else least)
    except ValueError as error:
        raise InputFault.of("--defects-per-image", text, rule) from error
    if not 1 <= found[0] <= found[1] <= MOST_DEFECTS:
        raise InputFault.of("--defects-per-image", text, rule)
    return found


def model_namer(template: str | None) -> Callable[[str, str], str | None]:
    """What rows of an object and a defect type say as their model: ``template`` with ``{object}``
    and ``{defect}`` filled in, nothing without one.

    Raises :class:`InputFault` for a template with other places.
    """
    if template is None:
        return lambda _item, _defect: None
    rule = "is a text with {object} and {defect} in it, or neither"
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError as error:
        raise InputFault.of("--model", template, f"{rule} ({error})") from error
    plain = all(
        name is None or (name in MODEL_PLACES and not form and not conversion)
        for _, name, form, conversion in parts
    )
    if not template or not plain:
        raise InputFault.of("--model", template, rule)
    return lambda item, defect: template.format(object=item, defect=defect)
