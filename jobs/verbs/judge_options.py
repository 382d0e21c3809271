"""The judge of ``adabldm generate``, as the command line says it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Annotated, Any, Literal

import typer

from adabldm.core.faults import InputFault
from adabldm.judging.options import JudgeOptions, Limits, PublishedMask
from adabldm.sampling.options import Resolution

CANDIDATES, RETRIES = 1, 3
LIMITS = tuple(one.name for one in fields(Limits))

Judge = Annotated[
    bool | None,
    typer.Option(
        "--judge/--no-judge",
        help="Hold each pair against the judge's limits, and reject what meets them in no draw.",
        show_default="judged with --resolution native",
    ),
]
Candidates = Annotated[
    int | None,
    typer.Option(
        help="Draws of a request that are made together; the judge keeps the best.",
        show_default=str(CANDIDATES),
    ),
]
Retries = Annotated[
    int | None,
    typer.Option(
        help="How often a request is drawn again while no draw meets the limits.",
        show_default=str(RETRIES),
    ),
]
Mask = Annotated[
    Literal["asked", "refined"] | None,
    typer.Option(
        help="The mask that is published: the one asked for, or what really changed. The other "
        "one is kept with the extras.",
        show_default="asked",
    ),
]
Limit = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=VALUE",
        help=f"A limit of the judge in place of its default (repeatable): {', '.join(LIMITS)}.",
    ),
]


def read_judge(
    *,
    judge: bool | None,
    candidates: int | None,
    retries: int | None,
    mask: PublishedMask | None,
    limits: Sequence[str],
    resolution: Resolution,
) -> JudgeOptions | None:
    """The judge's options, None where pairs are not judged: with ``--no-judge``, and at the model's
    size unless any of them is given. Raises :class:`InputFault`."""
    values: dict[str, Any] = {"candidates": candidates, "retries": retries, "mask": mask}
    given = {name: value for name, value in values.items() if value is not None}
    if judge is False:
        for name, value in {**given, **({"limit": list(limits)} if limits else {})}.items():
            raise InputFault.of(f"--{name}", value, "is the judge's, and --no-judge leaves it out")
        return None
    if judge is None and resolution == "model" and not given and not limits:
        return None
    try:
        held = Limits.of(limits)
    except ValueError as error:
        raise InputFault(f"--limit: {str(error).removeprefix('limit: ')}") from error
    try:
        return JudgeOptions(**{"candidates": CANDIDATES, "retries": RETRIES, **given}, limits=held)
    except ValueError as error:
        raise InputFault(f"--{error}") from error
