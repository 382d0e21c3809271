"""The command line: one module a verb, and one way to end for all of them."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from contextlib import suppress
from threading import Event, Timer, current_thread, main_thread

try:
    import typer

    from adabldm.core.faults import (
        ExitCode,
        InputFault,
        JobFault,
        Terminated,
        of_the_world,
        one_line,
    )
    from adabldm.core.redaction import redacted
    from jobs.verbs import (
        demo,
        evaluate,
        export,
        generate,
        pairs,
        parity,
        plan,
        prepare,
        report,
        sheet,
        status,
        submit,
        train,
        trimaps,
        verify,
    )
except KeyboardInterrupt:
    sys.exit("interrupted")

TRACEBACK = "ADABLDM_TRACEBACK"
"""Set, it shows where in the program an unforeseen error came from."""
INTERRUPTED = 130
"""What the library that reads the command line makes of Ctrl-C."""

GRACE_SECONDS = 20.0
"""From SIGTERM to the program's end at the latest."""

app = typer.Typer(
    name="adabldm",
    help="Make industrial defect images with exact masks, by the thousand.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for verb in (
    demo, prepare, pairs, train, plan, trimaps, generate, status, verify, sheet, report, export,
    evaluate, parity, submit,
):  # fmt: skip
    app.command(verb.__name__.rpartition(".")[2])(verb.main)


def main() -> None:
    """Run the command line.

    Bad input ends with its faults, a line each, and exit code 2. All else that stops a command ends
    with one line and 1: a job that cannot go on, trouble with a disk, Ctrl-C, the unforeseen. Where
    nobody reads any more (``| head``), it ends with 1 and says nothing.
    """
    before = signal.getsignal(signal.SIGTERM) or signal.SIG_DFL
    terminated = _end_in_order_when_told()
    code = _code_of_run()
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
    except OSError as error:
        code = _stopped(error)
    if terminated.is_set():
        # Threads of the libraries may still be busy with what nobody waits for any more.
        os._exit(code)
    signal.signal(signal.SIGTERM, before)
    # From here on Ctrl-C ends the program at once, without a word.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(code)


def _end_in_order_when_told() -> Event:
    """From now on the first SIGTERM ends the verb as Ctrl-C does, within :data:`GRACE_SECONDS`;
    what is returned is set by it."""
    told = Event()

    def end(*_: object) -> None:
        if told.is_set():
            return
        told.set()
        last = Timer(GRACE_SECONDS, os._exit, (ExitCode.STOPPED,))
        last.daemon = True
        last.start()
        raise Terminated

    if current_thread() is main_thread():
        signal.signal(signal.SIGTERM, end)
    return told


def _code_of_run() -> int:
    """Run the verb; says why it stopped, if it did."""
    try:
        app()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else ExitCode.OK
        return _interrupted() if code == INTERRUPTED else code
    except InputFault as fault:
        return _say(*fault.lines, code=ExitCode.BAD_INPUT)
    except JobFault as fault:
        return _say(one_line(fault), code=ExitCode.STOPPED)
    except KeyboardInterrupt:
        return _interrupted()
    except Exception as error:
        return _stopped(error)
    return ExitCode.OK


def _interrupted() -> int:
    return _say("interrupted", code=ExitCode.STOPPED)


def _stopped(error: Exception) -> int:
    """One line for an error of the world, or of the program."""
    if os.environ.get(TRACEBACK):
        with suppress(OSError):
            traceback.print_exception(error)
    if isinstance(error, BrokenPipeError):
        _stop_writing()
        return ExitCode.STOPPED
    if isinstance(error, OSError) and error.strerror:
        if _stop_writing():
            error.filename = "standard output"
        return _say(of_the_world(error), code=ExitCode.STOPPED)
    hint = "" if isinstance(error, OSError) else f" ({TRACEBACK}=1 shows where)"
    told = f"{type(error).__name__}: {one_line(error)}{hint}"
    return _say(told, code=ExitCode.STOPPED)


def _say(*lines: str, code: ExitCode) -> ExitCode:
    with suppress(OSError):
        for line in lines:
            print(redacted(line), file=sys.stderr, flush=True)
    return code


def _stop_writing() -> bool:
    """Whether there is a stream that takes no more: what is still to be printed there goes nowhere,
    or Python would fail on it once more at its end."""
    stopped = False
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except OSError:
            os.dup2(nowhere, stream.fileno())
            stopped = True
    os.close(nowhere)
    return stopped


if __name__ == "__main__":
    main()
