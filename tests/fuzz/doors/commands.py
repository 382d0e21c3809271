"""The command line itself, as a program, on what is wrong."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.conftest import ROOT
from tests.fuzz.case import Case
from tests.fuzz.doors import manifests
from tests.fuzz.trees import change, lay_out, unlock
from tests.support.making import write_manifest

SECONDS = 90


def run(case: Case) -> None:
    data, plan = case.folder / "set", case.folder / "plan"
    lay_out(case, data)
    change(case, data)
    path = write_manifest(plan, 3)
    manifests._change_table(case, path)
    out = case.rng.choice(("out", "plan", "set", "set/deep/out", "", "nope://x", "out.parquet"))
    texture = ("--surface", "texture")
    words = case.rng.choice(
        (
            ("prepare", "set", "--output", out, "--no-foreground"),
            ("prepare", "set", "--output", "out", "--strict", "--no-foreground"),
            ("plan", "set", "--count", "3", "--output", out, *texture),
            ("plan", "set", "--count", "3", "--output", "out", *texture, "--masks", "real,noise"),
            ("pairs", "set", "--output", out, "--count", "2", *texture),
            ("generate", "--manifest", "plan", "--model", "sleep://1", "--output", "out",
             "--dry-run", "--rate", "1", "--gpus-per-worker", "0"),
            ("verify", case.rng.choice(("plan", "set", "none", "set/dataset.yaml"))),
            ("sheet", case.rng.choice(("plan", "set", "none")), "--output", "sheet.png"),
            ("trimaps", "--manifest", "plan", "--output", "out"),
        )
    )  # fmt: skip
    try:
        _start(case, words)
    finally:
        unlock(case.folder)


def _start(case: Case, words: tuple[str, ...]) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "jobs.cli", *words],
            cwd=case.folder, env=environment, capture_output=True, text=True, timeout=SECONDS,
            errors="replace", check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        case.breach(words[0], f"takes more than {SECONDS} s", str(words))
        return
    told = f"{words}\n{done.stdout}\n{done.stderr}"
    case.counts[f"adabldm {words[0]}", "accepted" if done.returncode == 0 else "refused"] += 1
    door = f"adabldm {words[0]}"
    last = done.stderr.strip().splitlines()[-1:] or [""]
    case.require(door, "Traceback" not in done.stderr, f"a traceback: {last[0][:60]}", told)
    case.require(door, done.returncode in (0, 1, 2, 3), f"exit code {done.returncode}", told)
    said = done.stderr.strip() or done.stdout.strip()
    case.require(door, done.returncode == 0 or said, "ends without a word", told)
