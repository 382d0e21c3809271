"""How large a report is, and how long it takes to write and to open.

python -m jobs.bench.report_scale --rows 5000 --output /tmp/scale
"""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
import typer

from adabldm.core.images import encode_png
from adabldm.data import drawn_metal
from cluster.output.index import Ledger
from cluster.output.paths import extra_key, image_key, mask_key
from cluster.output.schema import FAILED, INDEX, OK, REJECTED
from cluster.storage.location import Location
from jobs.bench.browser import NoBrowser, opened_browser
from jobs.verbs.report import write_report

DRAWN = 48
"""Different pictures; the rows' files are links to them."""
SIDE = 256
OBJECTS = ("bracket", "plate")
BEGAN = datetime(2026, 11, 25, 20, 40, tzinfo=UTC)
LIMITS = {"coverage": 0.5, "agreement": 0.5, "cl_dice": 0.65, "seam": 12.0, "defect_change": 128.0}
WORKERS = 8
BATCH = 5000
PAINTED = "requestAnimationFrame(() => requestAnimationFrame(arguments[0]))"
"""Calls back once what the page has drawn can be seen."""


def draw_files(folder: Path) -> list[tuple[str, dict[str, Path]]]:
    """(type, files by kind) of drawn parts."""
    found = []
    types = list(drawn_metal.DEFECTS)
    for number in range(DRAWN):
        defect = types[number % len(types)]
        good = drawn_metal.draw_part(number, SIDE)
        part = drawn_metal.draw_part(number, SIDE, defect, extent=SIDE // 2)
        pictures = {"source": good.image, "image": part.image, "mask": part.mask}
        files = {}
        for kind, pixels in pictures.items():
            files[kind] = folder / f"{number}_{kind}.png"
            files[kind].parent.mkdir(parents=True, exist_ok=True)
            files[kind].write_bytes(encode_png(pixels))
        found.append((defect, files))
    return found


def draw_output(folder: Path, rows: int) -> Path:
    """An output of so many rows, one in twelve rejected, one in two hundred failed."""
    output = folder / f"pairs_{rows}"
    files = draw_files(folder / "drawn")
    output.mkdir(parents=True)
    run = {
        "schema_version": 1,
        "created": BEGAN.isoformat(),
        "model": "drawn",
        "model_fingerprint": "0" * 64,
        "config": {"mode": "fast", "keep": ["source"], "judge": {"limits": LIMITS}},
    }
    (output / "run.json").write_text(json.dumps(run))
    ledger = Ledger(Location.of(str(output)))
    ledger.claim(INDEX)
    for start in range(0, rows, BATCH):
        some = [_row(output, at, files) for at in range(start, min(rows, start + BATCH))]
        ledger.append(pa.Table.from_pylist(some, INDEX))
    return output


def _row(output: Path, number: int, drawn: list[tuple[str, dict[str, Path]]]) -> dict[str, Any]:
    rng = np.random.default_rng(number)
    defect, files = drawn[int(rng.integers(len(drawn)))]
    item = OBJECTS[number % len(OBJECTS)]
    name = f"{item}-{defect}-s1-{number:08d}"
    status = str(rng.choice([OK, REJECTED, FAILED], p=[0.91, 0.085, 0.005]))
    figures = _figures(rng, rejected=status == REJECTED)
    links = {
        OK: {"image": image_key(item, defect, name), "mask": mask_key(item, defect, name)},
        REJECTED: {"image": extra_key(name, REJECTED), "mask": extra_key(name, "asked_mask")},
        FAILED: {},
    }[status]
    extras = {} if status == FAILED else {"source": extra_key(name, "source")}
    for kind, key in {**links, **extras}.items():
        (output / key).parent.mkdir(parents=True, exist_ok=True)
        os.link(files[kind], output / key)
    if status == REJECTED:
        extras |= {REJECTED: links["image"], "asked_mask": links["mask"]}
    seconds = number * 2.4 / WORKERS * float(rng.uniform(0.9, 1.0)) + (
        3600 * 7 if number % WORKERS > 3 else 0
    )
    return {
        "request_id": name,
        "object": item,
        "defect": defect,
        "status": status,
        "reason": _reason(status, figures),
        **(links if status == OK else {}),
        "extras": [{"name": k, "path": p, "sha256": "0" * 64} for k, p in extras.items()],
        "seed": int(rng.integers(2**62)),
        "prompt": f"a metal {item} with a {defect}",
        "quality": None if status == FAILED else list(figures.items()),
        "seconds": [("sample", float(rng.gamma(9, 0.25))), ("store", 0.11), ("judge", 0.03)],
        "made_by": f"gpu-node-{number % WORKERS // 2}:{4100 + number % WORKERS}",
        "made_at": BEGAN + timedelta(seconds=seconds),
    }


def _figures(rng: np.random.Generator, *, rejected: bool) -> dict[str, float]:
    good = {
        "coverage": 0.5 + 0.5 * rng.beta(5, 1.4),
        "agreement": 0.5 + 0.5 * rng.beta(4, 1.6),
        "seam": min(11.9, rng.gamma(2.0, 1.1)),
        "defect_change": min(127.0, rng.gamma(6.0, 6.0)),
        "contrast": rng.gamma(5.0, 1.4),
        "tone": rng.normal(-20, 22),
    }
    if rejected:
        good[str(rng.choice(["coverage", "agreement"]))] = 0.5 * rng.beta(3, 1.2)
    return {name: float(value) for name, value in good.items()}


def _reason(status: str, figures: dict[str, float]) -> str | None:
    if status == FAILED:
        return "placement: the mask of 96 x 41 does not fit on the object at any place"
    missed = [n for n in ("coverage", "agreement") if figures[n] < LIMITS[n]]
    return "; ".join(f"{n} {figures[n]:.3g} is below {LIMITS[n]:g}" for n in missed) or None


def seconds_to_open(page: Path) -> float | None:
    """Until a headless Chromium has drawn the first page of the gallery; None without one."""
    try:
        with opened_browser() as browser:
            began = time.perf_counter()
            browser.get(page.as_uri())
            browser.execute_async_script(PAINTED)
            return time.perf_counter() - began
    except NoBrowser:
        return None


def main(
    rows: Annotated[int, typer.Option(min=1)] = 5000,
    output: Annotated[Path, typer.Option()] = Path("report_scale"),
    thumbnails: Annotated[int | None, typer.Option(min=0)] = None,
) -> None:
    """Draw an output, write its report, open it."""
    pairs = output / f"pairs_{rows}"
    if not pairs.exists():
        pairs = draw_output(output, rows)
    began, spent = time.perf_counter(), time.process_time()
    page, place = write_report(str(pairs), thumbnails=thumbnails)
    wall, cpu = time.perf_counter() - began, time.process_time() - spent
    typer.echo(
        f"{rows} rows, {page.thumbnails} thumbnails: {wall:.1f} s ({cpu:.1f} s of processor), "
        f"{len(page.html) / 1e6:.1f} MB, peak {_peak_mb():.0f} MB of memory"
    )
    seconds = seconds_to_open(Path(place.path))
    typer.echo("no Chromium" if seconds is None else f"opened in {seconds:.2f} s")


def _peak_mb() -> float:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


if __name__ == "__main__":
    typer.run(main)
