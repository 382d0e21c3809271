"""The command line: one module a verb."""

from __future__ import annotations

import sys

import typer

from cluster.faults import InputFault, JobFault
from jobs import (
    contact_sheet,
    demo,
    generate,
    pairs,
    parity,
    plan,
    prepare,
    submit,
    train,
    trimap_sheet,
    verify,
)

app = typer.Typer(
    name="adabldm",
    help="Make industrial defect images with exact masks, by the thousand.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("demo")(demo.main)
app.command("prepare")(prepare.main)
app.command("pairs")(pairs.main)
app.command("train")(train.main)
app.command("plan")(plan.main)
app.command("trimaps")(trimap_sheet.main)
app.command("generate")(generate.main)
app.command("verify")(verify.main)
app.command("sheet")(contact_sheet.main)
app.command("parity")(parity.main)
app.command("submit")(submit.main)

STOPPED, BAD_INPUT = 1, 2


def main() -> None:
    """Run the command line.

    Bad input ends with its faults, a line each, and exit code 2; a job that cannot go on with 1.
    """
    try:
        app()
    except InputFault as fault:
        for line in fault.lines:
            print(line, file=sys.stderr)
        sys.exit(BAD_INPUT)
    except JobFault as fault:
        print(fault, file=sys.stderr)
        sys.exit(STOPPED)


if __name__ == "__main__":
    main()
