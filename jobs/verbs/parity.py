"""``adabldm parity``: the method against a recording of the authors' program."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from adabldm.core.faults import ExitCode, InputFault
from jobs.verbs import places


def main(
    recording: Annotated[
        Path,
        typer.Argument(callback=places.local, help="Folder of a recording (meta.json, ...)"),
    ],
) -> None:
    """Replay a recording of the authors' program and compare every quantity.

    What a recording does not have is left out, and said. Ends with exit code 1 if any quantity is
    outside its tolerance.

    \b
    Example:
      adabldm parity recordings/a
    """
    from adabldm.networks.ldm_checkpoint import CheckpointFault
    from adabldm.parity import RecordingFault, missing_parts, replay

    places.refuse_missing("RECORDING", str(recording))
    print(f"{'quantity':<68} {'max_abs_diff':>12} {'tolerance':>10}  ok")
    failed = total = 0
    try:
        for line in replay(recording):
            total += 1
            failed += not line.ok
            print(
                f"{line.quantity:<68} {line.difference:>12.3e} {line.tolerance:>10.1e}  "
                f"{'yes' if line.ok else 'NO'}",
                flush=True,
            )
    except (RecordingFault, CheckpointFault) as fault:
        raise InputFault.of("recording", str(recording), str(fault)) from fault
    for part in missing_parts(recording):
        print(f"left out: {part} is not in the recording")
    print(f"{total - failed} of {total} quantities agree with {recording}")
    if failed:
        raise typer.Exit(ExitCode.STOPPED)
