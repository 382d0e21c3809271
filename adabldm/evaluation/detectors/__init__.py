"""Detectors that are trained on windows of pictures and score whole ones, a file each.

Nothing here loads torch until a detector is opened, so that a driver can name and check them.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

if TYPE_CHECKING:
    from adabldm.evaluation.detectors.protocol import Detector

DetectorName = Literal["unet", "fpn", "destseg", "padim"]
DETECTORS: tuple[DetectorName, ...] = get_args(DetectorName)

LITE0 = "lite0"
"""The backbone that pip installs: ImageNet's EfficientNet-lite0, for machines without a network."""

DEEPEST = 32
"""Pixels to one of the deepest features: sides of windows are multiples of it."""


@dataclass(frozen=True, kw_only=True)
class DetectorOptions:
    """How every detector is trained: ``steps`` of ``batch`` windows of ``window`` pixels a side,
    cut at the pictures' own scale; ``width`` channels in its first block (DRAEM and DeSTSeg: 64);
    ``backbone``, :data:`LITE0` or the name or folder of a network that ``transformers`` opens.

    Raises ``ValueError`` naming the field, its value and the rule.
    """

    steps: int
    window: int = 256
    batch: int = 8
    width: int = 64
    backbone: str = LITE0

    def __post_init__(self) -> None:
        for name in ("steps", "window", "batch", "width"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: {getattr(self, name)!r}: must be at least 1")
        if self.window % DEEPEST:
            raise ValueError(f"window: {self.window!r}: must be a multiple of {DEEPEST}")

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def default_detector(device: str) -> DetectorName:
    """What a device can train from a few pictures in minutes: the usual protocol's network on a
    GPU, a decoder on a backbone that need not be trained on a CPU."""
    return "fpn" if device == "cpu" else "unet"


def default_options(device: str) -> DetectorOptions:
    """The papers' width and windows on a GPU, a narrow network on a CPU."""
    if device == "cpu":
        return DetectorOptions(steps=600, batch=4, width=8)
    return DetectorOptions(steps=5000)


def open_detector(name: str, options: DetectorOptions) -> Detector:
    """The detector called ``name``. Raises ``ValueError`` for another name, and
    :class:`~adabldm.evaluation.detectors.backbone.BackboneFault` for a backbone that cannot be
    opened."""
    if name == "unet":
        from adabldm.evaluation.detectors.unet import UNetDetector

        return UNetDetector(options)
    if name == "fpn":
        from adabldm.evaluation.detectors.fpn import FPN

        return FPN(options)
    if name == "destseg":
        from adabldm.evaluation.detectors.destseg import DeSTSeg

        return DeSTSeg(options)
    if name == "padim":
        from adabldm.evaluation.detectors.padim import PaDiM

        return PaDiM(options)
    raise ValueError(f"detector: {name!r}: must be one of {', '.join(DETECTORS)}")
