"""``run.json``: which model and which configuration an output holds."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from adabldm.core.faults import InputFault, JobFault, printable
from adabldm.core.json_text import load_json
from cluster.storage.doubt import believed
from cluster.storage.hashing import sha256
from cluster.storage.location import Location

FILE = "run.json"
SCHEMA_VERSION = 1
MAX_BYTES = 1 << 20
SHARDS = "shards"
OF_OLD = {"resolution": "model", "judge": "off", SHARDS: 0}
"""Settings that are not told, as in older outputs, and what they were made with then."""
FIELDS: dict[str, type] = {"model": str, "model_fingerprint": str, "config": dict}
"""What is read of the file."""


@dataclass(frozen=True, kw_only=True)
class RunBinding:
    """The job's ``model`` (URI), its fingerprint, and ``config``: every setting that shapes the
    files."""

    model: str
    model_fingerprint: str
    config: dict[str, Any]

    @property
    def config_fingerprint(self) -> str:
        return sha256(json.dumps(self.config, sort_keys=True).encode())

    def check(self, output: Location) -> bool:
        """Whether ``output`` is bound to this already.

        Raises :class:`InputFault` naming each field in which it is bound to something else.
        """
        held = read_run(output)
        if held is None:
            return False
        rule = f"{output.shown} was made with {{}}; use the same, or another output"
        faults = []
        if held["model_fingerprint"] != self.model_fingerprint:
            before = f"{held['model']!r} (fingerprint {held['model_fingerprint'][:12]})"
            shown = f"{self.model!r} (fingerprint {self.model_fingerprint[:12]})"
            faults.append(f"model: {shown}: {rule.format(before)}")
        for name, then, now in _differences(held["config"], self.config):
            faults.append(f"{printable(name)}: {now!r}: {rule.format(repr(then))}")
        if faults:
            raise InputFault(*faults)
        return True

    def bind(self, output: Location) -> bool:
        """Bind ``output`` to this; returns whether it was not before. Raises as :meth:`check`."""
        content = {
            "schema_version": SCHEMA_VERSION,
            "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "adabldm_version": version("adabldm"),
            "model": self.model,
            "model_fingerprint": self.model_fingerprint,
            "config": self.config,
            "config_fingerprint": self.config_fingerprint,
        }
        if self.check(output):
            return False
        try:
            output.join(FILE).create(json.dumps(content, indent=2).encode())
        except FileExistsError:
            self.check(output)
            return False
        return True


def _differences(
    held: Mapping[str, Any], mine: Mapping[str, Any], group: str = ""
) -> Iterator[tuple[str, object, object]]:
    """(name, held, mine) of each setting that differs, those of a group one by one; a group that
    only one of them has is on there and off in the other."""
    for name in sorted({*held, *mine}):
        before, now = (config.get(name, OF_OLD.get(name)) for config in (held, mine))
        if isinstance(before, dict) and isinstance(now, dict):
            yield from _differences(before, now, f"{group}{name}.")
        elif before != now:
            yield f"{group}{name}", _shown(before), _shown(now)


def _shown(value: object) -> object:
    return "on" if isinstance(value, dict) else value


def bound_shards(output: Location) -> int | None:
    """Over how many folders ``output`` spreads a type's files; None if it is not bound yet. Raises
    as :func:`read_run`."""
    held = read_run(output)
    return None if held is None else int(held["config"].get(SHARDS, 0))


def unbind(output: Location) -> None:
    """Take a binding back."""
    output.join(FILE).remove()


def read_run(output: Location) -> dict[str, Any] | None:
    """What ``output`` is bound to, None if it is not.

    Raises :class:`InputFault` for a file that is something else, :class:`JobFault` if it cannot be
    read.
    """
    file = output.join(FILE)
    try:
        held = believed(file, lambda: load_json(file.read(MAX_BYTES)))
        held_version = held["schema_version"]
        wrong = [name for name, kind in FIELDS.items() if not isinstance(held.get(name), kind)]
    except FileNotFoundError:
        return None
    except OSError as error:
        raise JobFault(f"{file.shown}: cannot be read: {error}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputFault.of("output", file.shown, "is not the run.json of an output") from error
    if held_version != SCHEMA_VERSION:
        rule = f"has schema version {held_version!r:.50}, not {SCHEMA_VERSION}"
        raise InputFault.of("output", file.shown, rule)
    if wrong:
        rule = f"is not the run.json of an output: {', '.join(wrong)}"
        raise InputFault.of("output", file.shown, rule)
    return held
