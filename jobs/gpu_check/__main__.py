"""``python -m jobs.gpu_check``: a page of what was found on this machine's GPU; exit code 1 if
anything does not hold, 0 with a word where there is no GPU."""

from __future__ import annotations

import platform
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import torch
import typer

from adabldm.loading import open_base
from adabldm.networks.embedded import embedded_path
from jobs.gpu_check.bench import Bench
from jobs.gpu_check.findings import Finding, carried_out, page
from jobs.gpu_check.method import METHOD
from jobs.gpu_check.workers import WORKERS


def main(
    output: Annotated[Path, typer.Option(help="The page.")] = Path("gpu-check.md"),
    count: Annotated[int, typer.Option(min=1, help="Requests of a check.")] = 8,
    model: Annotated[
        Path | None, typer.Option(help="A model's folder; the embedded one if none is given.")
    ] = None,
) -> None:
    """Try on this machine's GPU what no other machine can show."""
    if not torch.cuda.is_available():
        print("gpu-check: skipped: this machine has no GPU that PyTorch can use")
        return
    place = model or embedded_path()
    bench = Bench(open_model=lambda: open_base(place), count=count)
    findings = every_check(bench, str(model or "embedded"))
    output.write_text(page(findings, _facts()))
    print(f"{sum(one.holds is True for one in findings)} of {len(findings)} hold: {output}")
    if any(one.holds is False for one in findings):
        sys.exit(1)


def every_check(bench: Bench, model: str) -> list[Finding]:
    """All checks in turn, each said as it ends."""
    found = []
    for name, check in METHOD.items():
        found.append(carried_out(name, lambda check=check: check(bench)))  # type: ignore[misc]
        _say(found[-1])
    for name, of_workers in WORKERS.items():
        found.append(
            carried_out(name, lambda check=of_workers: check(bench, model))  # type: ignore[misc]
        )
        _say(found[-1])
    return found


def _say(one: Finding) -> None:
    word = "yes" if one.holds else "NO"
    print(f"{word:>3}  {one.name}: {dict(one.gpu)} ({one.seconds:.1f} s)", flush=True)


def _facts() -> dict[str, str]:
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "GPU": torch.cuda.get_device_name(0),
        "CPU": f"{platform.processor() or platform.machine()}, one thread",
        "PyTorch": torch.__version__,
        "command": "python -m jobs.gpu_check",
    }


if __name__ == "__main__":
    typer.run(main)
