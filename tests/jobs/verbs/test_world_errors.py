"""What the world does to a verb ends in one line and its exit code, as programs from a shell."""

from __future__ import annotations

import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest

from cluster.manifest.reader import Manifest
from jobs import cli
from jobs.verbs.plan import make_plan
from tests.conftest import ROOT
from tests.support.drawn_folder import metal_folder
from tests.support.making import checks_of, write_manifest

pytestmark = pytest.mark.slow

LARGEST_FILE = 1_000
"""Bytes, where a disk is said to be full."""

WRITERS: dict[str, tuple[str, ...]] = {
    "prepare": ("prepare", "{data}", "--output"),
    "pairs": ("pairs", "{data}", "--count", "2", "--write"),
    "plan": ("plan", "{data}", "--where", "anywhere", "--count", "4", "--output"),
    "train": ("train", "{data}", "--steps", "1", "--gpus-per-worker", "0", "--output"),
    "generate": (
        "generate", "--manifest", "{plan}", "--model", "sleep://0", "--gpus-per-worker", "0",
        "--output",
    ),
    "trimaps": ("trimaps", "{plan}", "--png"),
    "demo": ("demo", "--output"),
}  # fmt: skip
"""Verbs that write, the output's option last."""

Shell = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A data set and a plan."""
    root = tmp_path_factory.mktemp("world")
    metal_folder(root)
    return {"data": str(root / "metal"), "plan": str(write_manifest(root / "plan", 6))}


@pytest.fixture
def shell(made: dict[str, str], tmp_path: Path) -> Shell:
    def run(*words: str, **how: Any) -> subprocess.CompletedProcess[str]:
        """In an empty folder of its own."""
        return subprocess.run(
            [sys.executable, "-m", "jobs.cli", *(word.format(**made) for word in words)],
            cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True, text=True, check=False, timeout=240, **how,
        )  # fmt: skip

    return run


@pytest.fixture
def here(
    made: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Shell]:
    """As ``shell``, but in this process, which is faster."""

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["adabldm", *(word.format(**made) for word in words)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        told = capsys.readouterr()
        return subprocess.CompletedProcess(words, ended.value.code, told.out, told.err)  # type: ignore[arg-type]

    before = signal.getsignal(signal.SIGINT)
    yield run
    signal.signal(signal.SIGINT, before)


def one_line(done: subprocess.CompletedProcess[str], code: int) -> str:
    """The only line of an end with ``code``; the progress of what went before apart."""
    assert done.returncode == code, done.stdout + done.stderr
    lines = [line for line in done.stderr.splitlines() if ", starting" not in line]
    assert len(lines) == 1, done.stderr
    return lines[0]


@pytest.mark.parametrize("verb", WRITERS)
def test_an_output_that_is_a_file_or_below_one_is_refused(
    verb: str, here: Shell, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("mine")
    line = one_line(here(*WRITERS[verb], "file/below"), 2)
    assert f"{tmp_path}/file is a file, nothing can be below it" in line
    if verb != "trimaps":
        assert f"{tmp_path}/file" in one_line(here(*WRITERS[verb], "file"), 2)
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("verb", ["pairs", "plan"])
def test_a_full_disk_is_named_with_the_file(verb: str, shell: Shell, tmp_path: Path) -> None:
    def fill_up() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST_FILE, LARGEST_FILE))

    line = one_line(shell(*WRITERS[verb], "out", preexec_fn=fill_up), 1)
    assert line.startswith(f"{tmp_path}/out")
    assert line.endswith("File too large")
    assert not [file for file in tmp_path.rglob("*.partial*") if file.is_file()]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("plan", "nowhere", "--count", "1", "--output", "out"), "DATASET: '/.*/nowhere'"),
        (("pairs", "{data}", "--groups", "no", "--count", "1", "--write", "o"), "--groups"),
        (("train", "{data}", "--base", "no", "--output", "out"), "--base: '/.*/no'"),
        (("train", "{data}", "--prompts", "no", "--output", "out"), "--prompts: '/.*/no'"),
        (("trimaps", "no", "--png", "x.png"), "manifest: '/.*/no'"),
        (("verify", "no"), "OUTPUT: '/.*/no'"),
        (("sheet", "no", "--png", "x.png"), "OUTPUT: '/.*/no'"),
        (("report", "no"), "OUTPUT: '/.*/no'"),
        (("parity", "no"), "RECORDING: '/.*/no'"),
        (("submit", "--address", "no", "--", "verify", "x"), "--address: 'no'"),
    ],
)
def test_a_mistyped_place_is_named(
    words: tuple[str, ...], told: str, here: Shell, tmp_path: Path
) -> None:
    assert re.match(told, one_line(here(*words), 2))
    assert not os.listdir(tmp_path)


def piped(tmp_path: Path, line: str) -> subprocess.CompletedProcess[str]:
    """A line of bash in which $A is the program."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), "A": f"{sys.executable} -m jobs.cli"}
    return subprocess.run(
        ["bash", "-c", line], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )


def test_a_reader_that_has_gone_is_not_complained_about(
    tmp_path: Path, made: dict[str, str]
) -> None:
    for words in ("--help", f"trimaps {made['plan']} --png x.png"):
        done = piped(tmp_path, f"$A {words} | true; exit ${{PIPESTATUS[0]}}")
        assert done.returncode in (0, 1)
        assert done.stderr == ""
    assert (tmp_path / "x.png").exists()


def test_a_closed_and_a_full_standard_output_are_borne(
    tmp_path: Path, made: dict[str, str]
) -> None:
    words = f"trimaps {made['plan']} --png x.png"
    assert piped(tmp_path, f"$A {words} >&-").returncode == 0
    full = piped(tmp_path, f"$A {words} > /dev/full")
    assert one_line(full, 1).endswith("No space left on device")


def test_ctrl_c_is_one_line_and_leaves_no_half_plan(tmp_path: Path, made: dict[str, str]) -> None:
    words = ["plan", made["data"], "--count", "9000000", "--output", "out"]
    process = subprocess.Popen(
        [sys.executable, "-m", "jobs.cli", *words],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE,
        text=True, start_new_session=True,
    )  # fmt: skip
    while not list(tmp_path.glob("out/manifest_files/*")):
        assert process.poll() is None
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err.splitlines()[-1]) == (1, "interrupted")
    assert not list(tmp_path.glob("out/*.parquet*"))


def test_a_plan_that_was_copied_elsewhere_is_the_same_requests(
    made: dict[str, str], tmp_path: Path, s3: str
) -> None:
    plan = make_plan(made["data"], count=6, seed=1, output=str(tmp_path / "plan"))
    fsspec.filesystem("s3").put(f"{tmp_path}/plan/", f"{s3}/there/", recursive=True)
    shutil.copytree(tmp_path / "plan", tmp_path / "other/copy")
    found = []
    for uri in (plan.manifest.path, f"{tmp_path}/other/copy", f"{s3}/there/manifest.parquet"):
        if uri.startswith("s3") or "copy" in uri:
            shutil.rmtree(tmp_path / "plan", ignore_errors=True)
        manifest = Manifest(uri)
        checks = checks_of(manifest)
        ((_, rows),) = manifest.chunks()
        found.append([checks.check(row) for row in rows])
    assert found[0] == found[1] == found[2]
