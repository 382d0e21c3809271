"""``adabldm submit``: run a command of this program on a cluster, once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Annotated, NoReturn

import typer

from adabldm.core.faults import InputFault
from adabldm.core.redaction import redacted
from jobs.verbs import (
    evaluate,
    export,
    generate,
    parity,
    places,
    plan,
    prepare,
    report,
    sheet,
    status,
    train,
    verify,
)
from jobs.verbs.job_file import read_job_file

VERBS: Mapping[str, ModuleType] = {
    "prepare": prepare,
    "train": train,
    "plan": plan,
    "generate": generate,
    "verify": verify,
    "sheet": sheet,
    "report": report,
    "status": status,
    "export": export,
    "evaluate": evaluate,
    "parity": parity,
}
"""What can be run on a cluster."""


def with_absolute_places(words: Sequence[str]) -> list[str]:
    """A command line, the verb's name first, with every place in it absolute, so that it means on
    the cluster what it means here."""
    return [words[0], *places.made_absolute(places.command_of(VERBS[words[0]].main), words[1:])]


def main(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="-- COMMAND...", help="What to run, after two dashes."),
    ] = None,
    spec: Annotated[
        Path | None,
        typer.Option(callback=places.local, help="A job file to run instead (docs/operations.md)."),
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(
            help="The cluster's dashboard, http://HOST:8265.",
            show_default="the job file's; without one its command runs here",
        ),
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Show the job's log and end with its exit code.")
    ] = False,
    again: Annotated[
        bool,
        typer.Option("--again", help="Run it even if it has succeeded: a manifest has grown."),
    ] = False,
    logs: Annotated[
        bool, typer.Option("--logs", help="Print the log of the job that there is, start none.")
    ] = False,
    stop: Annotated[
        bool, typer.Option("--stop", help="Stop the job that there is; what it made is kept.")
    ] = False,
) -> None:
    """Run a command on a cluster as a Ray job.

    Relative places in it are made absolute, as seen from here (those in a job file: from its
    folder); the cluster must have them too. The same command is not run twice: while it runs, or
    when it has succeeded, that job is shown instead. One that failed or was stopped is started
    again and continues.

    \b
    adabldm submit --address http://localhost:8265 --wait -- \\
        generate --manifest s3://bucket/plan --model s3://bucket/model --output s3://bucket/pairs
    adabldm submit --spec examples/jobs/generate.yaml
    """
    command, there = _command(words or [], spec)
    address = address or there
    if address is None:
        _run_here(command, {"--wait": wait, "--again": again, "--logs": logs, "--stop": stop})
    _on_cluster(command, address, wait=wait, again=again, logs=logs, stop=stop)


def _command(words: Sequence[str], spec: Path | None) -> tuple[list[str], str | None]:
    """The command line, its places absolute, and the address that the job file names."""
    if bool(words) == (spec is not None):
        rule = "give either a command after -- or --spec FILE"
        raise InputFault.of("COMMAND", " ".join(words), rule)
    if spec is not None:
        return read_job_file(spec, VERBS)
    if words[0] not in VERBS:
        raise InputFault.of("COMMAND", words[0], f"is one of {', '.join(VERBS)}")
    return with_absolute_places(words), None


def _run_here(command: Sequence[str], on_clusters: Mapping[str, bool]) -> NoReturn:
    for name, given in on_clusters.items():
        if given:
            raise InputFault.of(name, True, "is for a job on a cluster: --address says which")
    places.command_of(VERBS[command[0]].main)(list(command[1:]), prog_name=f"adabldm {command[0]}")
    raise typer.Exit(0)


def _on_cluster(
    command: Sequence[str], address: str, *, wait: bool, again: bool, logs: bool, stop: bool
) -> None:
    from cluster.launch.jobs_api import Cluster

    cluster = Cluster(address)
    if logs or stop:
        job = cluster.last(command)
        if job is None:
            rule = "was not submitted to this cluster"
            raise InputFault.of("COMMAND", " ".join(command), rule)
        if stop:
            typer.echo(f"{job}: {cluster.stop(job)}")
        else:
            typer.echo(cluster.log(job), nl=False)
        return
    submitted = cluster.submit(command, again=again)
    job = submitted.job
    if submitted.started:
        after = f", the one before has {submitted.before}" if submitted.before else ""
        typer.echo(f"{job}: submitted{after}")
    else:
        typer.echo(f"{job}: {submitted.before} already")
    if wait:
        raise typer.Exit(cluster.follow(job))
    typer.echo(f"follow it with: ray job logs --follow --address {redacted(address)} {job}")
