"""``adabldm generate`` with the judge: the same pairs whatever dies, and never short in silence."""

from __future__ import annotations

import json
import os
import secrets
import signal
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from adabldm.core import images
from adabldm.judging.options import Limits
from jobs import cli
from jobs.sheets.contact_sheet import contact_sheet
from jobs.verbs import verify
from tests.conftest import Command
from tests.jobs.verbs.test_generate import finish, wait_for_rows, words, workers
from tests.jobs.verbs.test_plan import metal
from tests.support.making import Row, index_of, write_manifest

Run = Callable[..., tuple[int, list[str], list[str]]]
REQUESTS = 24
JUDGE = ("--candidates", "2", "--retries", "2", "--mask", "refined", "--keep", "source,rejected")
SLOW, QUICK = "sleep://150?accept=0.2", "sleep://0?accept=0.2"


@pytest.fixture
def run(
    ray_address: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> Run:
    """Run ``adabldm WORDS`` in ``tmp_path`` on the shared Ray: code, lines, errors."""

    def one(*typed: object) -> tuple[int, list[str], list[str]]:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr("sys.argv", ["adabldm", *map(str, typed)])
        monkeypatch.setattr("jobs.progress.LINE_SECONDS", 3600.0)
        with pytest.raises(SystemExit) as ended:
            cli.main()
        told = capsys.readouterr()
        return int(ended.value.code or 0), told.out.splitlines(), told.err.splitlines()

    return one


def told_of(output: Path) -> dict[str, tuple]:
    """What the index says of each request, times apart."""
    names = ("status", "reason", "image_sha256", "mask_sha256", "extras")
    apart = {"woke", "worker"}
    rows = index_of(output)
    found = {}
    for row in rows:
        figures = [pair for pair in row["quality"] if pair[0] not in apart]
        found[row["request_id"]] = (*(repr(row[name]) for name in names), repr(figures))
    assert len(found) == len(rows)
    return found


def files_of(output: Path) -> dict[str, bytes]:
    return {str(p.relative_to(output)): p.read_bytes() for p in sorted(output.rglob("*.png"))}


def test_verdicts_and_files_are_the_same_with_one_worker_with_two_and_whatever_is_killed(
    start: Command, run: Run, ray_address: str, tmp_path: Path
) -> None:
    manifest = write_manifest(tmp_path / "in", REQUESTS)
    one, two, killed = (tmp_path / name for name in ("one", "two", "killed"))
    assert run(*words(manifest, one, QUICK, *JUDGE, "--batch-size", "1"))[0] == 3
    assert run(*words(manifest, two, QUICK, *JUDGE, "--workers", "2"))[0] == 3
    command = words(manifest, killed, SLOW, *JUDGE, "--workers", "2", "--batch-size", "3")
    process = start(*command, RAY_ADDRESS=ray_address)
    wait_for_rows(killed, 3)
    os.kill(secrets.choice(workers()), signal.SIGKILL)
    time.sleep(secrets.randbelow(1500) / 1000)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = told_of(killed)
    code, out, err = finish(start(*command, RAY_ADDRESS=ray_address))
    assert code == 3, err
    assert f"{len(before)} were there" in out
    statuses = {status for status, *_ in told_of(one).values()}
    assert statuses == {"'ok'", "'rejected'"}
    for output in (two, killed):
        assert told_of(output) == told_of(one)
        assert files_of(output) == files_of(one)
        verify.main(str(output))


def test_it_ends_with_what_each_type_was_asked_for_and_lacks_and_a_rerun_says_the_same(
    run: Run, tmp_path: Path
) -> None:
    def change(rows: list[Row]) -> None:
        rows[1]["prompt"] = rows[3]["prompt"] = "a dull one"
        rows[4]["prompt"] = "a bad one"

    manifest, output = write_manifest(tmp_path / "in", 10, change), tmp_path / "out"
    command = words(manifest, output, "sleep://0?reject=dull&raise=bad")
    code, lines, errors = run(*command)
    assert code == 3
    assert lines == [
        "metal/blowhole: 5 asked for, 3 made, 2 rejected (2 coverage)",
        "metal/crack: 5 asked for, 4 made, 1 failed (1 RuntimeError: asked to raise by ...)",
        f"made 7 pairs, 0 were there, 2 of 10 rejected, 1 of 10 failed: {output}",
    ]
    assert errors == [f"3 pairs short; adabldm plan DATASET --top-up {output} plans as many more"]
    rows = {row["request_id"]: row for row in index_of(output)}
    assert rows["r0001"]["reason"].startswith("coverage 0.0")
    assert dict(rows["r0001"]["quality"])["candidates"] == 4.0
    again, repeated, _ = run(*command)
    assert (again, repeated[:2]) == (3, lines[:2])
    assert repeated[2].startswith("made 0 pairs, 10 were there, 2 of 10 rejected, 1 of 10 failed")
    assert run("verify", output)[1] == [
        f"10 rows (7 pairs, 2 rejected, 1 failed), all as they should be: {output}"
    ]


def test_limits_that_nothing_meets_end_in_rejected_rows(run: Run, tmp_path: Path) -> None:
    manifest, output = write_manifest(tmp_path / "in", 120), tmp_path / "out"
    never = ("--limit", "coverage=1", "--candidates", "2", "--batch-size", "16")
    code, lines, _ = run(*words(manifest, output, "sleep://0", *never))
    assert code == 3
    assert lines[0] == "metal/blowhole: 60 asked for, 0 made, 60 rejected (60 coverage)"
    assert {row["status"] for row in index_of(output)} == {"rejected"}
    assert not list(output.rglob("*.png"))


def test_a_short_output_is_completed_by_top_ups_in_the_same_folder(
    run: Run, tmp_path: Path
) -> None:
    metal(tmp_path / "metal")
    assert run("plan", "metal", "--count", 12, "--output", "plan")[0] == 0
    base = ("--output", "out", "--gpus-per-worker", 0, "--retries", 0)
    model = ("--model", "sleep://0?accept=0.5")
    code, lines, _ = run("generate", "--manifest", "plan", *model, *base)
    assert code == 3
    for _ in range(20):
        assert run("plan", "metal", "--top-up", "out", "--output", "plan")[0] == 0
        code, lines, _ = run("generate", "--manifest", "plan", *model, *base)
        if code == 0:
            break
    assert code == 0
    assert all(line.split(": ")[1].startswith("6 asked for, 6 made, ") for line in lines[:2])
    rows = index_of(tmp_path / "out")
    assert sum(row["status"] == "ok" for row in rows) == 12
    assert {row["top_up"] for row in rows} >= {None, 1}
    code, told, _ = run("plan", "metal", "--top-up", "out", "--output", "plan")
    assert (code, told) == (0, [f"nothing is short of 12 pairs asked for: {tmp_path}/out"])
    first = ("--manifest", "plan/manifest.parquet")
    assert run("generate", *first, *model, *base)[0] == 0
    assert run("verify", "out")[0] == 0


def test_defects_are_compared_with_the_few_real_ones_of_their_plan(
    run: Run, tmp_path: Path
) -> None:
    metal(tmp_path / "metal")
    assert run("plan", "metal", "--count", 2, "--output", "plan")[0] == 0
    base = ("--manifest", "plan", "--model", "embedded", "--mode", "fast", "--retries", 0)
    free = ("--limit", "coverage=0", "--limit", "agreement=0", "--limit", "cl_dice=0")
    near = ("--limit", "real_distance=1e-9")
    run("generate", *base, *free, "--output", "out")
    distances = [dict(row["quality"])["real_distance"] for row in index_of(tmp_path / "out")]
    assert all(0 < distance < 1000 for distance in distances)
    code, lines, _ = run("generate", *base, *free, *near, "--output", "near")
    assert code == 3
    assert all(
        line.endswith("1 asked for, 0 made, 1 rejected (1 real_distance)") for line in lines[:2]
    )
    again = [dict(row["quality"])["real_distance"] for row in index_of(tmp_path / "near")]
    assert sorted(again) == sorted(distances)
    (tmp_path / "plan/_manifest_real_defects.parquet").unlink()
    code, _, errors = run("generate", *base, *free, *near, "--output", "none")
    assert code == 2
    assert len(errors) == 1
    assert errors[0].startswith("--limit: 'real_distance=1e-09': needs the real defects that plan")
    assert not (tmp_path / "none").exists()


def test_an_output_of_older_days_goes_on_unjudged_and_is_refused_to_the_judge(
    run: Run, tmp_path: Path
) -> None:
    manifest, output = write_manifest(tmp_path / "in", 4), tmp_path / "out"
    assert run(*words(manifest, output, "sleep://0", "--no-judge"))[0] == 0
    assert "judge" not in json.loads((output / "run.json").read_text())["config"]
    write_manifest(tmp_path / "in", 6)
    code, _, errors = run(*words(manifest, output, "sleep://0"))
    assert code == 2
    rule = f"{output} was made with 'off'; use the same, or another output"
    assert errors == [f"judge: 'on': {rule}"]
    code, lines, _ = run(*words(manifest, output, "sleep://0", "--no-judge"))
    assert code == 0
    assert lines[-1] == f"made 2 pairs, 4 were there, 0 of 6 failed: {output}"
    assert len({row["config_fingerprint"] for row in index_of(output)}) == 1


def test_an_output_is_bound_to_its_judge_setting_by_setting(run: Run, tmp_path: Path) -> None:
    manifest, output = write_manifest(tmp_path / "in", 4), tmp_path / "out"
    assert run(*words(manifest, output, "sleep://0", "--limit", "coverage=0.25"))[0] == 0
    held = json.loads((output / "run.json").read_text())["config"]["judge"]
    assert (held["retries"], held["limits"]["coverage"]) == (3, 0.25)
    assert held["limits"]["real_distance"] == "off"
    more = ("--candidates", "4", "--mask", "refined")
    code, _, errors = run(*words(manifest, output, "sleep://0", *more))
    assert code == 2
    assert [line.partition(f" {output}")[0] for line in errors] == [
        "judge.candidates: 4:",
        f"judge.limits.coverage: {Limits().coverage!r}:",
        "judge.mask: 'refined':",
    ]


def test_verify_knows_both_masks_and_rejected_rows(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest, output = write_manifest(tmp_path / "in", 8), tmp_path / "out"
    kept = ("--retries", "0", "--keep", "rejected,source,trimap")
    assert run(*words(manifest, output, "sleep://0?accept=0.5", *kept))[0] == 3
    assert run("verify", output)[0] == 0
    rows = index_of(output)
    (rejected, *_) = (row for row in rows if row["status"] == "rejected")
    (made, *_) = (row for row in rows if row["status"] == "ok")
    stray = output / "metal/test/crack" / f"{rejected['request_id']}.png"
    stray.write_bytes((output / made["image"]).read_bytes())
    assert f"metal/test/crack/{stray.name}: has no row" in run("verify", output)[1]
    stray.unlink()
    refined = output / f"extras/{made['request_id']}_refined_mask.png"
    refined.write_bytes(images.encode_png(np.zeros((48, 48), np.uint8)))
    code, lines, _ = run("verify", output)
    assert code == 1
    assert lines[0].startswith(f"request_id {made['request_id']!r}: extras/")
    refined.unlink()
    assert "does not exist" in run("verify", output)[1][0]


def test_rejected_pairs_can_be_looked_at(run: Run, tmp_path: Path) -> None:
    manifest, output = write_manifest(tmp_path / "in", 8), tmp_path / "out"
    kept = ("--retries", "0", "--keep", "source,trimap,rejected")
    run(*words(manifest, output, "sleep://0?accept=0.5", *kept))
    rejected = sum(row["status"] == "rejected" for row in index_of(output))
    assert contact_sheet(str(output), tmp_path / "ok.png") == 8 - rejected
    code, lines, _ = run("sheet", "out", "--rejected", "--png", "rejected.png")
    assert (code, lines) == (0, [f"drew {rejected} pairs: {tmp_path}/rejected.png"])
    plain = ("--keep", "source,trimap", "--retries", "0")
    run(*words(manifest, tmp_path / "b", "sleep://0?accept=0.5", *plain))
    code, _, errors = run("sheet", "b", "--rejected", "--png", "rejected.png")
    assert code == 2
    assert "--keep source,trimap,rejected" in errors[0]


def test_a_dry_run_reckons_with_all_draws(run: Run, tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path / "in", 360)
    more = ("--candidates", "4", "--dry-run", "--rate", "0.4")
    code, lines, _ = run(*words(manifest, tmp_path / "out", "sleep://0", *more))
    assert code == 0
    assert lines[4].startswith("time        1 worker hours; ")
    assert lines[-1] == "draws       4 a request reckoned with, up to 16 where the judge rejects"
    more = ("--candidates", "4", "--dry-run")
    _, lines, _ = run(*words(manifest, tmp_path / "out", "sleep://10?accept=0", *more))
    assert "measured here on 3 requests of 4 draws each" in lines[3]
    assert not (tmp_path / "out").exists()
