"""Checks of workers on a device: memory that runs out, a context that breaks, two workers a GPU."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path

import torch

from adabldm.core.images import encode_png
from cluster.generate.compute_batch import AUTO
from cluster.generate.decoding import decode
from cluster.generate.making import Maker
from cluster.generate.protocol import Fact, Work
from cluster.generate.settings import WorkerSettings
from cluster.generate.storing import Made
from cluster.generate.watch import Watch
from cluster.models.kinds import inspect_model
from cluster.storage.hashing import sha256
from cluster.storage.location import Location
from jobs.gpu_check.bench import Bench
from jobs.gpu_check.findings import Finding

SCARCE_GIB = 1.5
"""What a worker may take of a GPU where its memory is to run out."""
MANY = 64
BROKEN = """
import torch
from cluster.generate.making import _leave_a_broken_gpu
try:
    if {real}:
        torch.zeros(4, device="cuda")[torch.tensor([9], device="cuda")].cpu()
    else:
        raise RuntimeError("CUDA error: device-side assert triggered")
except Exception as error:
    _leave_a_broken_gpu(error)
print("went on")
"""


def works_of(bench: Bench, model: str, count: int) -> list[Work]:
    """Rows of work, their pictures in them."""
    wanted, facts = bench.requests(count), inspect_model(model)
    works = []
    for number in range(count):
        image, marks = (encode_png(wanted[name][number]) for name in ("images", "trimaps"))
        works.append(
            Work(
                request_id=f"r{number}",
                object="metal",
                defect="crack",
                image={"bytes": image, "path": None},
                trimap={"bytes": marks, "path": None},
                placement=None,
                prompt=wanted["prompts"][number],
                negative_prompt="",
                seed=number,
                model=model,
                model_fingerprint=facts.fingerprint,
                branch=None,
                branch_fingerprint=None,
                source_sha256=sha256(image),
            )
        )
    return works


def out_of_memory(bench: Bench, model: str) -> Finding:
    """A batch larger than memory is halved until it fits, and no request is blamed; ``auto`` finds
    a batch that fits at once."""
    cuda = bench.device == "cuda"
    if cuda:
        total = torch.cuda.get_device_properties(0).total_memory
        torch.cuda.set_per_process_memory_fraction(min(1.0, SCARCE_GIB * 2**30 / total))
    try:
        halved, halved_to = _made(bench, model, MANY, None)
        fitted, fitted_to = _made(bench, model, AUTO, 2 * MANY if cuda else 4)
    finally:
        if cuda:
            torch.cuda.set_per_process_memory_fraction(1.0)
            torch.cuda.empty_cache()
    there = (halved, fitted) == (MANY, 2 * MANY if cuda else 4)
    return Finding(
        name="memory that runs out",
        holds=there and (halved_to < MANY or not cuda),
        rule=f"all of {MANY} requests are made with {SCARCE_GIB:g} GiB, in smaller batches",
        gpu={"made": halved, "batch": halved_to, "made with auto": fitted, "its batch": fitted_to},
    )


def _made(bench: Bench, model: str, wanted: object, count: int | None) -> tuple[int, int]:
    """How many of the requests become pairs, and in what batch at the end."""
    settings = WorkerSettings(
        output=Location.of(tempfile.gettempdir()), options=bench.fast, device=bench.device,
        compute_batch=wanted,  # type: ignore[arg-type]
        stores=False,
    )  # fmt: skip
    make = Maker(settings, Watch(None))
    results: list[Made | Fact] = []
    make([decode(work) for work in works_of(bench, model, count or MANY)], results.append)
    return sum(isinstance(one, Made) for one in results), int(make._batches._sizes.get(model, 0))


def broken_context(bench: Bench) -> Finding:
    """A process whose context broke ends, and this one's goes on."""
    text = BROKEN.format(real=bench.device == "cuda")
    done = subprocess.run([sys.executable, "-c", text], check=False, capture_output=True, text=True)
    after = float(torch.ones(8, device=bench.device).sum())
    return Finding(
        name="a broken context",
        holds=done.returncode == 1 and "went on" not in done.stdout and after == 8,
        rule="its process ends with 1 and no other is touched",
        gpu={"exit code": done.returncode},
    )


def two_workers(bench: Bench, model: str) -> Finding:
    """Two workers that share a GPU make the same pairs as one that has it."""
    if find_spec("ray") is None:
        return Finding(name="two workers a GPU", holds=None, rule="Ray is not installed here")
    from jobs.chaos.comparison import compare, rows_of
    from jobs.chaos.inputs import write_manifest

    gpus = ("1", "0.5") if bench.device == "cuda" else ("0", "0")
    with tempfile.TemporaryDirectory(prefix="gpu-check-") as name:
        folder = Path(name)
        manifest = write_manifest(folder / "in", 4 * bench.count, 0, ())
        rows = []
        for number, share in enumerate(gpus, 1):
            output = str(folder / f"out-{number}")
            words = ["--manifest", str(manifest), "--model", model, "--output", output,
                     "--mode", "fast", "--gpus-per-worker", share, "--workers", str(number),
                     "--batch-size", "4"]  # fmt: skip
            run = [sys.executable, "-m", "jobs.cli"]
            done = subprocess.run(
                [*run, "generate", *words], check=False, capture_output=True, text=True
            )
            if done.returncode not in (0, 3):
                raise RuntimeError(f"generate: {done.stderr.strip().splitlines()[-1:]}")
            subprocess.run([*run, "verify", output], check=True, capture_output=True)
            rows.append(rows_of(output))
        seen = compare(rows[0], rows[1])
        makers = len({row["made_by"] for row in rows[1]})
    return Finding(
        name="two workers a GPU",
        holds=makers == 2 and not (seen.lost or seen.doubled or seen.differing),
        rule="both make pairs, with the bytes of one worker's, and verify agrees",
        gpu={"requests": seen.requests, "workers": makers, "differing": len(seen.differing)},
    )


WORKERS: Mapping[str, Callable[[Bench, str], Finding]] = {
    "memory that runs out": out_of_memory,
    "a broken context": lambda bench, _: broken_context(bench),
    "two workers a GPU": two_workers,
}
