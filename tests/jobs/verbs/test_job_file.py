"""Job files: the same command as typed, and each fault in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from adabldm.core.faults import InputFault
from jobs import cli
from jobs.verbs.job_file import read_job_file
from jobs.verbs.submit import VERBS, with_absolute_places
from tests.jobs.verbs.test_plan import metal

EXAMPLES = Path(__file__).parents[3] / "examples/jobs"


def spec(folder: Path, text: str) -> Path:
    path = folder / "job.yaml"
    path.write_text(text)
    return path


def faults(folder: Path, text: str) -> list[str]:
    path = spec(folder, text)
    with pytest.raises(InputFault) as caught:
        read_job_file(path, VERBS)
    return [line.removeprefix(f"{path}: ") for line in caught.value.lines]


def test_it_is_the_command_line_that_it_stands_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    text = """
run: generate
address: http://localhost:8265
with:
  manifest: ../plan
  model: embedded
  output: s3://bucket/pairs
  limit: [coverage=0.6, seam=8]
  branch: [tile=branches/tile]
  judge: true
  strict: true
  dry-run: false
  gpus_per_worker: 0
"""
    words, address = read_job_file(spec(elsewhere, text), VERBS)
    assert address == "http://localhost:8265"
    monkeypatch.chdir(elsewhere)
    typed = [
        *("generate", "--manifest=../plan", "--model=embedded", "--output=s3://bucket/pairs"),
        *("--limit=coverage=0.6", "--limit=seam=8", "--branch=tile=branches/tile"),
        *("--judge", "--strict", "--gpus-per-worker=0"),
    ]
    assert words == with_absolute_places(typed)
    assert f"--branch=tile={elsewhere}/branches/tile" in words


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("run: generat\n", "run: 'generat': is one of prepare, train, plan, generate"),
        ("with: {}\n", "run: {'with': {}}: field required"),
        ("run: plan\nwhit: {}\n", "whit: {}: extra inputs are not permitted"),
        ("- run\n", "file: ['run']: input should be"),
        ("run: [plan\n", "--spec: "),
        ("", "file: None: input should be"),
        ("[" * 20_000, "--spec: "),
        ("run: plan\nwith: {count: {}}\n", "with.count: {}: input should be"),
    ],
)
def test_what_is_no_job_file_is_refused(tmp_path: Path, text: str, told: str) -> None:
    found = faults(tmp_path, text)
    assert any(line.startswith(told) for line in found), found
    assert all("\n" not in line and len(line) < 600 for line in found)


def test_every_option_that_is_wrong_is_named_at_once(tmp_path: Path) -> None:
    text = """
run: generate
with:
  manifest: [a, b]
  modle: embedded
  mode: true
  judge: 1
"""
    assert faults(tmp_path, text) == [
        "with.manifest: ['a', 'b']: must be one value, no list",
        "with.modle: 'embedded': is no option of generate; did you mean 'model'?",
        "with.mode: True: must be a text or a number",
        "with.judge: 1: must be true or false",
        "with.model: is missing: generate needs it",
        "with.output: is missing: generate needs it",
    ]


def test_a_value_of_another_type_is_named(tmp_path: Path) -> None:
    text = "run: plan\nwith: {dataset: d, output: o, count: many}\n"
    (line,) = faults(tmp_path, text)
    assert line.lower().startswith("with.count: 'many': input should be a valid integer")


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_examples_are_job_files(path: Path) -> None:
    words, address = read_job_file(path, VERBS)
    assert words[0] == path.stem
    assert address is None


def test_without_an_address_it_runs_here_with_places_seen_from_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    metal(tmp_path / "site/metal")
    (tmp_path / "site/jobs").mkdir()
    text = "run: plan\nwith: {dataset: ../metal, count: 3, output: ../plan}\n"
    path = spec(tmp_path / "site/jobs", text)
    monkeypatch.chdir(tmp_path)
    for words, code, told in (
        (["--spec", "site/jobs/job.yaml"], 0, "planned 3 requests"),
        (["--spec", str(path), "--wait"], 2, "--wait: True: is for a job on a cluster"),
        (["--spec", str(path), "--", "plan"], 2, "give either a command after -- or --spec FILE"),
        ([], 2, "give either a command after -- or --spec FILE"),
    ):
        monkeypatch.setattr("sys.argv", ["adabldm", "submit", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        captured = capsys.readouterr()
        assert ended.value.code == code
        assert told in captured.out + captured.err
    assert (tmp_path / "site/plan/manifest.parquet").is_file()
