"""What a data set is to everything downstream: objects, their good pictures, their real defects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from adabldm.core.mask_rule import AUTO, MaskRule

Surface = Literal["object", "texture"]


@dataclass(frozen=True, kw_only=True)
class DefectImage:
    """A real defective picture and its mask, as URIs; ``mask_rule`` says which of the mask's pixels
    are defect.

    Pictures of one ``group`` show the same specimen: a split never parts them.
    """

    defect: str
    image: str
    mask: str
    group: str | None = None
    caption: str | None = None
    mask_rule: MaskRule = AUTO


@dataclass(frozen=True, kw_only=True)
class ObjectFolder:
    """One object's pictures, divided into what may be learned from and what is for evaluation.

    ``good`` and ``defects`` are what planning and training may use; ``test_good`` and
    ``held_out`` are seen by evaluation only. ``surface`` is None while nobody has looked;
    ``foreground`` maps good pictures to object masks (uint8 0 / 255), where they were prepared;
    where they were not, objects are found with ``backbone``, None being the one in the package.
    """

    name: str
    good: tuple[str, ...]
    test_good: tuple[str, ...]
    defects: tuple[DefectImage, ...]
    held_out: tuple[DefectImage, ...] = ()
    surface: Surface | None = None
    foreground: Mapping[str, str] = field(default_factory=dict)
    backbone: str | None = None

    @property
    def defect_types(self) -> list[str]:
        """The types of ``defects``, in order."""
        return sorted({item.defect for item in self.defects})
