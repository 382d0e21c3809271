"""``adabldm generate --format``: what a run made, in another layout, beside its output."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from adabldm.core.faults import ExitCode, InputFault
from cluster.storage.location import location
from jobs.verbs import places

if TYPE_CHECKING:
    from cluster.output.export.job import ExportSpec

SOURCE = "source"
"""What ``--keep`` must name for layouts with good pictures."""


def place_of(output: str, format_name: str) -> str:
    """Where the layout is written: beside ``output``, by its name and the layout's."""
    return f"{output.rstrip('/')}_{format_name}"


def export_of(output: str, format_name: str, keep: Sequence[str]) -> ExportSpec:
    """The export of what is at the URI ``output``, or will be.

    Raises :class:`InputFault` if its place is taken by anything else or cannot be written, or for
    good pictures that nobody keeps.
    """
    from cluster.output.export.formats import FORMATS
    from cluster.output.export.job import ExportSpec, refuse_taken

    if FORMATS[format_name].needs_good and SOURCE not in keep:
        rule = f"has good pictures: say --keep {SOURCE}"
        raise InputFault.of("--format", format_name, rule)
    scheme, _, path = output.rpartition("://")
    if scheme not in ("", "file") and "/" not in path.strip("/"):
        rule = f"is written beside --output, which must be a folder, not all of {output}"
        raise InputFault.of("--format", format_name, rule)
    target = location("--format", place_of(output, format_name))
    spec = ExportSpec(output=location("--output", output), target=target, format=format_name)
    try:
        refuse_taken(spec)
    except InputFault as fault:
        raise InputFault(*(_renamed(line) for line in fault.lines)) from fault
    places.refuse_unwritable("--format", target)
    return spec


def _renamed(line: str) -> str:
    return line.replace("--output: ", "--format: ", 1)


def export(spec: ExportSpec) -> None:
    """Write the layout, or go on with it, and say what it holds.

    Raises ``typer.Exit`` when that cannot be done; what was generated stays.
    """
    from adabldm.core.faults import JobFault, Terminated, one_line
    from cluster.output.export import job
    from jobs.progress import Tracker
    from jobs.verbs.export import in_words

    try:
        with Tracker("export", 1) as tracker:

            def tell(done: int, total: int) -> None:
                tracker.expect(total)
                tracker.update(done)

            done = job.export(spec, tell)
    except (InputFault, JobFault) as fault:
        print(f"stopped: --format: {one_line(fault)}", file=sys.stderr)
        raise typer.Exit(ExitCode.STOPPED) from fault
    except KeyboardInterrupt as ended:
        word = "terminated" if isinstance(ended, Terminated) else "interrupted"
        print(f"{word}. The same command continues.", file=sys.stderr)
        raise typer.Exit(ExitCode.STOPPED) from None
    print(f"{in_words(done)}: {places.written(spec.target)}")
