"""The command line as a whole."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from adabldm.core.faults import ExitCode, InputFault, JobFault
from jobs import cli


@pytest.fixture(autouse=True)
def own_interrupts() -> Iterator[None]:
    """The command line lets Ctrl-C end the program at its end; tests go on."""
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


HELP = """
import sys
from jobs import cli

sys.argv = ["adabldm", *sys.argv[1:], "--help"]
try:
    cli.main()
except SystemExit as ended:
    heavy = {"torch", "ray", "diffusers", "transformers", "pyarrow", "deltalake", "aiohttp"}
    print(f"loaded: {sorted(heavy & set(sys.modules))}, code {ended.code}")
"""


@pytest.mark.parametrize("verb", [[], *([command.name] for command in cli.app.registered_commands)])
def test_help_loads_none_of_the_large_libraries(verb: list[str]) -> None:
    told = subprocess.run(
        [sys.executable, "-c", HELP, *verb], capture_output=True, text=True, check=True
    )
    assert told.stdout.splitlines()[-1] == "loaded: [], code 0", told.stderr


@pytest.mark.parametrize(
    ("fault", "code", "told"),
    [
        (InputFault("a: 1: no", "b: 2: no"), 2, "a: 1: no\nb: 2: no\n"),
        (JobFault("it cannot go on"), 1, "it cannot go on\n"),
    ],
)
def test_a_fault_ends_with_its_lines_and_its_code(
    fault: Exception,
    code: int,
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def refuse() -> None:
        raise fault

    monkeypatch.setattr(cli, "app", refuse)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert (ended.value.code, capsys.readouterr().err) == (code, told)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (KeyboardInterrupt(), "interrupted\n"),
        (OSError(28, "No space left on device", "/a/b"), "/a/b: No space left on device\n"),
        (PermissionError(13, "Permission denied", "/a"), "/a: Permission denied\n"),
        (KeyError("x"), "KeyError: 'x' (ADABLDM_TRACEBACK=1 shows where)\n"),
        (RuntimeError("a\nb"), "RuntimeError: a b (ADABLDM_TRACEBACK=1 shows where)\n"),
        (JobFault("a\n  \x1b[31mb"), "a b\n"),
        (BrokenPipeError(32, "Broken pipe"), ""),
    ],
)
def test_whatever_stops_a_verb_ends_with_one_line_and_1(
    error: BaseException,
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def stop() -> None:
        raise error

    monkeypatch.setattr(cli, "app", stop)
    monkeypatch.delenv(cli.TRACEBACK, raising=False)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert (ended.value.code, capsys.readouterr().err) == (1, told)


def test_an_unforeseen_error_shows_where_it_came_from_when_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def a_mistake() -> None:
        raise KeyError("x")

    monkeypatch.setattr(cli, "app", a_mistake)
    monkeypatch.setenv(cli.TRACEBACK, "1")
    with pytest.raises(SystemExit):
        cli.main()
    assert "in a_mistake" in capsys.readouterr().err


def test_exit_codes_are_those_that_programs_rely_on() -> None:
    codes = {code.name: int(code) for code in ExitCode}
    assert codes == {"OK": 0, "STOPPED": 1, "BAD_INPUT": 2, "SOME_FAILED": 3}
