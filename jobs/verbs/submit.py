"""``adabldm submit``: run a command of this program on a cluster, once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Annotated

import typer

from adabldm.core.faults import InputFault
from jobs.verbs import (
    evaluate,
    export,
    generate,
    parity,
    places,
    plan,
    prepare,
    sheet,
    status,
    train,
    verify,
)

VERBS: Mapping[str, ModuleType] = {
    "prepare": prepare,
    "train": train,
    "plan": plan,
    "generate": generate,
    "verify": verify,
    "sheet": sheet,
    "status": status,
    "export": export,
    "evaluate": evaluate,
    "parity": parity,
}
"""What can be run on a cluster."""


def with_absolute_places(words: Sequence[str]) -> list[str]:
    """A command line, the verb's name first, with every place in it absolute, so that it means on
    the cluster what it means here."""
    command = places.command_of(VERBS[words[0]].main)
    options = {name: one for one in command.params for name in one.opts if name.startswith("-")}
    arguments = [one for one in command.params if one.opts[0] == one.name]
    made, rest = [words[0]], list(words[1:])
    while rest:
        word = rest.pop(0)
        name, equals, value = word.partition("=")
        option = options.get(name)
        if option is not None and equals:
            made.append(f"{name}={places.typed(option, value)}")
        elif option is not None and not option.is_flag and rest:
            made += [name, places.typed(option, rest.pop(0))]
        elif arguments and not word.startswith("-"):
            made.append(places.typed(arguments.pop(0), word))
        else:
            made.append(word)
    return made


def main(
    words: Annotated[
        list[str], typer.Argument(metavar="-- COMMAND...", help="What to run, after two dashes.")
    ],
    address: Annotated[str, typer.Option(help="The cluster's dashboard, http://HOST:8265.")],
    wait: Annotated[
        bool, typer.Option("--wait", help="Show the job's log and end with its exit code.")
    ] = False,
    again: Annotated[
        bool,
        typer.Option("--again", help="Run it even if it has succeeded: a manifest has grown."),
    ] = False,
) -> None:
    """Run a command on a cluster as a Ray job.

    Relative places in it are made absolute, as seen from here; the cluster must have them too.
    The same command is not run twice: while it runs, or when it has succeeded, that job is shown
    instead. One that failed is started again and continues.

    \b
    adabldm submit --address http://localhost:8265 --wait -- \\
        generate --manifest s3://bucket/plan --model s3://bucket/model --output s3://bucket/pairs
    """
    from cluster.launch.jobs_api import Cluster

    if words[0] not in VERBS:
        raise InputFault.of("COMMAND", words[0], f"is one of {', '.join(VERBS)}")
    words = with_absolute_places(words)
    cluster = Cluster(address)
    submitted = cluster.submit(words, again=again)
    job = submitted.job
    if submitted.started:
        after = f", the one before has {submitted.before}" if submitted.before else ""
        typer.echo(f"{job}: submitted{after}")
    else:
        typer.echo(f"{job}: {submitted.before} already")
    if wait:
        raise typer.Exit(cluster.follow(job))
    typer.echo(f"follow it with: ray job logs --follow --address {address} {job}")
