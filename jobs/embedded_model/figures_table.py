"""The figures of one object as a table on the screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from adabldm.judging.distribution import Estimate

COLUMNS = {
    "ours": "ours",
    "best": "best of N",
    "pasted_hard": "pasted, hard",
    "pasted_soft": "pasted, soft",
    "undefective": "no defect",
    "few": "real, the few",
    "real_halves": "real, halves",
}
"""The ways to get defects, and their titles. ``undefective`` is the good picture with the mask's
inside as the autoencoder gives it back: what a model gets that makes no defect. ``few`` are the
real defects learned from, against the rest; ``real_halves`` random halves of the rest that share
no specimen."""


JUDGED = {
    "coverage": "coverage, median",
    "coverage_low": "coverage, 10 % quantile",
    "agreement": "agreement, median",
    "cl_dice": "clDice of thin ones, median",
}
"""The judge's figures, and their titles."""


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _estimate(found: Mapping[str, Any] | None) -> str:
    if found is None:
        return "-"
    estimate = Estimate(**found)
    return f"{estimate.value:.3f} ± {estimate.standard_error:.3f}"


def print_figures(figures: Mapping[str, Any]) -> None:
    """The object's table."""
    columns = figures["columns"]
    table = Table(title=figures["object"], title_justify="left")
    for heading in ("", *COLUMNS.values()):
        table.add_column(heading, no_wrap=True)

    def row(name: str, cells: Sequence[str]) -> None:
        table.add_row(name, *cells)

    chosen = [columns[name] for name in COLUMNS]
    row("pictures", [str(one["pictures"]) for one in chosen])
    row("pixels changed outside", [_number(one["outside"], "d") for one in chosen])
    for name, title in JUDGED.items():
        row(title, [_number(one[name], ".2f") for one in chosen])
    row("accepted", [_number(one["accepted"], ".0%") for one in chosen])
    row("visible", [_number(one["visible"], ".0%") for one in chosen])
    for defect in columns["ours"]["visible_by_type"]:
        counts = [one["visible_by_type"].get(defect) for one in chosen]
        row(f"  {defect}", ["{} of {}".format(*pair) if pair else "-" for pair in counts])
    beyond = [_number(one["visible_beyond_autoencoder"], ".0%") for one in chosen]
    row("visible beyond autoencoder", beyond)
    row("KID lite0, all types", [_estimate(one["kid_lite0"]) for one in chosen])
    row("KID lite0, mean by type", [_estimate(one["kid_lite0_by_type"]) for one in chosen])
    row("diversity lite0", [_number(one["diversity_lite0"], ".3f") for one in chosen])
    Console(width=144).print(table)
    auto, sizes = figures["autoencoder"], list(figures["native_sizes"])
    specimens = figures["real_specimens"]
    held = ", ".join(
        f"{name} {count} on {specimens[name]} specimens"
        for name, count in figures["real_defects"].items()
    )
    print(f"autoencoder on {auto['windows']} windows of unseen good pictures: "
          f"PSNR {auto['psnr_db']:.2f} dB, SSIM {auto['ssim']:.4f}")  # fmt: skip
    print(f"a {figures['surface']}; pictures of {sizes[-1]} to {sizes[0]}; real defects held out: "
          f"{held or 'none'}")  # fmt: skip
    print(f"{figures['pairs']} pairs, best of {figures['candidates']}, "
          f"{figures['seconds_a_candidate']:.2f} s a candidate; "
          f"{figures['unplaced']} found no place\n", flush=True)  # fmt: skip
