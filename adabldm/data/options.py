"""What a user says about a data set when it is opened, whichever verb opens it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

AUTO = "auto"

SurfaceChoice = Literal["auto", "object", "texture"]
"""A surface as a user says it; ``auto`` is what the data set or else its good pictures say."""

SHOTS = 10
"""Real defect pictures a type that may be learned from, unless told otherwise."""


@dataclass(frozen=True, kw_only=True)
class DatasetOptions:
    """How a data set is read and split, and how objects are found in its good pictures.

    ``layout`` is one of :data:`adabldm.data.layouts.LAYOUTS` or ``auto``. ``shots`` real defects a
    type are learned from; ``split_seed`` decides which, unless ``split_file``, the URI of a split
    that was written down, does. ``groups`` and ``captions`` are URIs of CSV tables beside the data
    set. ``mask_rule`` is which pixels of its masks are meant
    (:class:`adabldm.core.mask_rule.MaskRule`), unless its layout says so of a type. ``surface``
    goes before what the data set declares. ``backbone`` names what finds objects, see
    :func:`adabldm.foreground.features.open_features`; ``object_masks`` is the URI of a folder of
    object masks that are used instead, see :mod:`adabldm.data.own_object_masks`.
    """

    layout: str = AUTO
    shots: int = SHOTS
    split_seed: int = 0
    split_file: str | None = None
    groups: str | None = None
    captions: str | None = None
    mask_rule: str = AUTO
    surface: SurfaceChoice = "auto"
    backbone: str | None = None
    object_masks: str | None = None

    @property
    def splits(self) -> bool:
        """Whether anything is said that only a raw data set, which is yet to be split, can heed."""
        made = self.shots, self.split_seed, self.split_file, self.groups, self.captions
        return (*made, self.mask_rule) != (SHOTS, 0, None, None, None, AUTO)
