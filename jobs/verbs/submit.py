"""``adabldm submit``: run a command of this program on a cluster, once."""

from __future__ import annotations

from typing import Annotated

import typer

from adabldm.core.faults import InputFault

VERBS = ("prepare", "train", "plan", "generate", "verify", "sheet", "parity")
"""What can be run on a cluster."""


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

    The same command is not run twice: while it runs, or when it has succeeded, that job is shown
    instead. One that failed is started again and continues.

    \b
    adabldm submit --address http://localhost:8265 --wait -- \\
        generate --manifest s3://bucket/plan --model s3://bucket/model --output s3://bucket/pairs
    """
    from cluster.launch.jobs_api import Cluster

    if words[0] not in VERBS:
        raise InputFault.of("COMMAND", words[0], f"is one of {', '.join(VERBS)}")
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
