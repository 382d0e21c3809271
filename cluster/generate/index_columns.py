"""The index's columns for a manifest: its own, and those that ride along."""

from __future__ import annotations

import pyarrow as pa

from adabldm.core.faults import InputFault
from adabldm.core.names import folded
from cluster.manifest.reader import Manifest
from cluster.manifest.riding import filled, widens
from cluster.output.index import Ledger
from cluster.output.schema import INDEX


def index_schema(manifest: Manifest, ledger: Ledger) -> pa.Schema:
    """The index's columns with the manifest's further ones; a table's columns differ by more than
    case.

    Raises :class:`InputFault` for a column that cannot ride along.
    """
    held = ledger.columns()
    own = {folded(name): name for name in INDEX.names}
    spelled = {folded(name): name for name in held.names}
    riding = []
    for field in manifest.riding:
        name, kind = field.name, field.type
        if folded(name) in own:
            rule = f"is a name of the index's own ({own[folded(name)]}); give it another"
            raise _refusal(manifest, name, rule)
        before = spelled.get(folded(name), name)
        if before != name:
            raise _refusal(manifest, name, f"is column {before!r} of the output's index")
        if name not in held.names:
            riding.append(pa.field(name, filled(kind)))
            continue
        if not widens(kind, held.field(name).type):
            rule = f"is {filled(kind)}, the output's index has {held.field(name).type}"
            raise _refusal(manifest, name, rule)
        riding.append(pa.field(name, held.field(name).type))
    return pa.schema([*INDEX, *riding])


def _refusal(manifest: Manifest, name: str, rule: str) -> InputFault:
    return InputFault.of("manifest", manifest.place.shown, f"column {name!r} {rule}")
