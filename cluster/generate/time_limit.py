"""How long a request may be computed, if nobody says."""

from __future__ import annotations

from adabldm.judging.options import JudgeOptions

MEASURED_SECONDS = {"exact": 5586.0, "fast": 161.0}
"""One draw by a model of Stable Diffusion 1.5's size on one CPU core, by mode
(docs/measurements/full-size.md)."""
SLACK = 10
"""Larger pictures, several windows, a slower machine."""
GPU_SPEED = 20
"""The slowest GPU in cores."""

LOAD_SECONDS = 1800.0
"""For a model to be fetched, loaded and tried."""


def default_time_limit(mode: str, judge: JudgeOptions | None, device: str) -> float:
    """Seconds for a request of ``mode`` with all the draws that ``judge`` may ask for, on a
    ``device`` (``cpu`` or ``cuda``)."""
    draws = 1 if judge is None else judge.candidates * (1 + judge.retries)
    seconds = SLACK * MEASURED_SECONDS[mode] * draws
    return seconds / GPU_SPEED if device == "cuda" else seconds
