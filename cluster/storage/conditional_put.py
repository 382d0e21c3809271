"""Whether a store refuses to write a file that is there: what one driver at a time stands on."""

from __future__ import annotations

from contextlib import suppress

from adabldm.core.faults import InputFault, JobFault
from cluster.storage.doubt import undenied
from cluster.storage.location import Location
from cluster.storage.passing_file import passing_file

RULE = "this store writes a file over one that is there although told not to, so two drivers could"
RULE += " both commit to it; use another store, or a disk"


def refuse_without_conditional_put(folder: Location) -> None:
    """Try it in ``folder``; nothing is left there.

    Raises :class:`InputFault` for a store that keeps no promise, :class:`JobFault` for one that
    cannot be written to.
    """
    if folder.is_local:
        return
    probe = passing_file(folder)
    try:
        undenied(probe, lambda: probe.write(b"first"))
        try:
            undenied(probe, lambda: probe.create(b"second"))
        except FileExistsError:
            return
        finally:
            with suppress(OSError):
                probe.remove()
        raise InputFault.of("output", folder.uri, RULE)
    except OSError as error:
        raise JobFault(f"{folder.uri}: cannot be written: {error}") from error
