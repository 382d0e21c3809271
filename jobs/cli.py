"""The command line: one module a verb."""

from __future__ import annotations

import sys

import typer

from adabldm.core.faults import ExitCode, InputFault, JobFault
from jobs.verbs import (
    demo,
    generate,
    pairs,
    parity,
    plan,
    prepare,
    sheet,
    submit,
    train,
    trimaps,
    verify,
)

app = typer.Typer(
    name="adabldm",
    help="Make industrial defect images with exact masks, by the thousand.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for verb in (
    demo, prepare, pairs, train, plan, trimaps, generate, verify, sheet, parity, submit,
):  # fmt: skip
    app.command(verb.__name__.rpartition(".")[2])(verb.main)


def main() -> None:
    """Run the command line.

    Bad input ends with its faults, a line each, and exit code 2; a job that cannot go on with 1.
    """
    try:
        app()
    except InputFault as fault:
        for line in fault.lines:
            print(line, file=sys.stderr)
        sys.exit(ExitCode.BAD_INPUT)
    except JobFault as fault:
        print(fault, file=sys.stderr)
        sys.exit(ExitCode.STOPPED)


if __name__ == "__main__":
    main()
