"""What a check found, and the page of all of them."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

Figure = float | int | str


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Of the check ``name``: whether it holds (None: it could not be tried), figures of the GPU and
    beside them the CPU's, and the ``rule`` that it is held to."""

    name: str
    holds: bool | None
    rule: str
    gpu: Mapping[str, Figure] = field(default_factory=dict)
    cpu: Mapping[str, Figure] = field(default_factory=dict)
    seconds: float = 0.0


def carried_out(name: str, check: Callable[[], Finding]) -> Finding:
    """What ``check`` finds; an error is a finding too."""
    began = time.perf_counter()
    try:
        found = check()
    except Exception as error:
        traceback.print_exc()
        lines = str(error).splitlines() or [""]
        found = Finding(name=name, holds=False, rule=f"{type(error).__name__}: {lines[0]}")
    seconds = time.perf_counter() - began
    return Finding(**{**vars(found), "seconds": seconds})


def apart(some: Sequence[np.ndarray], others: Sequence[np.ndarray]) -> tuple[float, int]:
    """Mean and largest difference in grey levels of the pixels in which pictures could differ:
    those that differ in any."""
    gaps = np.concatenate(
        [np.abs(a.astype(int) - b).ravel() for a, b in zip(some, others, strict=True)]
    )
    return float(gaps.mean()), int(gaps.max(initial=0))


def page(findings: Iterable[Finding], facts: Mapping[str, Figure]) -> str:
    """Markdown."""
    lines = ["# On a GPU", ""]
    lines += [f"* {name}: {value}" for name, value in facts.items()]
    lines += ["", "| check | holds | GPU | CPU | rule | s |", "|---|---|---|---|---|---|"]
    for one in findings:
        word = "not tried" if one.holds is None else "yes" if one.holds else "**no**"
        figures = (_cell(one.gpu), _cell(one.cpu))
        lines.append(
            f"| {one.name} | {word} | {figures[0]} | {figures[1]} | {_plain(one.rule)} | "
            f"{one.seconds:.1f} |"
        )
    return "\n".join(lines) + "\n"


def _cell(figures: Mapping[str, Figure]) -> str:
    return ", ".join(f"{name} {_shown(value)}" for name, value in figures.items())


def _shown(value: Figure) -> str:
    return f"{value:.3g}" if isinstance(value, float) else _plain(str(value))


def _plain(text: str) -> str:
    return text.replace("|", "\\|")
