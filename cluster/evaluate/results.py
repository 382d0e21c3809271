"""What is kept of finished trials, and what they come to."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from adabldm.core.faults import InputFault, JobFault
from adabldm.core.json_text import load_json
from adabldm.evaluation.comparison import Line, Tried
from adabldm.evaluation.resampling import Counted
from adabldm.evaluation.scoring import Evaluation
from cluster.evaluate.spec import Trial
from cluster.storage.location import Location

BINDING = "comparison.json"
"""What the folder is a comparison of."""
TRIALS = "trials"
"""Folder of the finished ones: a .json each, and a .npz of its pictures' counts."""
MAX_BYTES = 1 << 30


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A trial that failed, and why."""

    trial: Trial
    reason: str

    def as_dict(self) -> dict[str, Any]:
        setting = self.trial.setting
        known = {"arm": setting.arm, "detector": self.trial.detector, "pairs": setting.pairs}
        return {**known, "shots": setting.shots, "seed": self.trial.seed, "reason": self.reason}

    def __str__(self) -> str:
        return f"{self.trial.setting.name}, seed {self.trial.seed}: failed: {self.reason}"


class Results:
    """The finished trials in a folder that is bound to one comparison."""

    def __init__(self, folder: Location, binding: Mapping[str, Any]) -> None:
        self._folder = folder
        self._binding = dict(binding)

    def check(self) -> bool:
        """Whether the folder is bound to this already. Raises :class:`InputFault` if it holds
        anything else."""
        place = self._folder.join(BINDING)
        if not place.exists():
            if (some := next(self._folder.files(), None)) is not None:
                rule = f"holds {some} and is no comparison: name an empty folder"
                raise InputFault.of("--output", self._folder.shown, rule)
            return False
        try:
            held = load_json(place.read())
        except ValueError as error:
            rule = "is not what a comparison writes"
            raise InputFault.of("--output", place.shown, rule) from error
        faults = [
            f"--output: {self._folder.shown!r}: holds a comparison with {name} {held.get(name)!r}, "
            f"this one has {value!r}: name another folder"
            for name, value in self._binding.items()
            if held.get(name) != value
        ]
        if faults:
            raise InputFault(*faults)
        return True

    def bind(self) -> None:
        """Bind the folder. Raises as :meth:`check`."""
        if not self.check():
            self._write(BINDING, self._binding)

    def finished(self) -> set[str]:
        """Names of the trials that are done."""
        names = self._folder.join(TRIALS).files()
        return {name.removesuffix(".json") for name in names if name.endswith(".json")}

    def keep(self, trial: Trial, facts: Mapping[str, Any], counted: Counted) -> None:
        """Write a finished trial; it counts as finished once all of it is there."""
        self._folder.join(f"{TRIALS}/{trial.name}.npz").write(counted.to_bytes())
        self._write(f"{TRIALS}/{trial.name}.json", facts)

    def read(self) -> list[tuple[dict[str, Any], Tried]]:
        """All finished trials, by name: their facts, and what they are compared by. Raises
        :class:`JobFault` for one that cannot be read."""
        found = []
        for name in sorted(self.finished()):
            place = self._folder.join(f"{TRIALS}/{name}.json")
            try:
                facts = load_json(place.read())
                counts = self._folder.join(f"{TRIALS}/{name}.npz").read(MAX_BYTES)
                found.append((facts, _tried(facts, Counted.from_bytes(counts))))
            except (OSError, ValueError, KeyError, TypeError) as error:
                rule = "cannot be read; remove it, and the same command makes it again"
                raise JobFault(f"{place.shown}: {rule}: {error}") from error
        return found

    def publish(
        self, facts: Sequence[Mapping[str, Any]], table: Sequence[Line], failed: Sequence[Failure],
        text: str,
    ) -> None:  # fmt: skip
        """Write ``evaluation.json``, ``.parquet`` and ``.md``."""
        rows = [line.as_dict() for line in table]
        content = {
            **self._binding,
            "arms": list(facts),
            "table": rows,
            "failed": [one.as_dict() for one in failed],
        }
        self._write("evaluation.json", content)
        buffer = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(rows, TABLE), buffer)
        self._folder.join("evaluation.parquet").write(buffer.getvalue())
        self._folder.join("evaluation.md").write(text.encode())

    def _write(self, name: str, content: Mapping[str, Any]) -> None:
        text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
        self._folder.join(name).write(text.encode() + b"\n")


TABLE = pa.schema(
    [
        *(pa.field(name, pa.string()) for name in ("detector", "arm")),
        *(pa.field(name, pa.int64()) for name in ("pictures", "shots")),
        *(pa.field(name, pa.string()) for name in ("figure", "type")),
        pa.field("seeds", pa.int64()),
        *(
            pa.field(name, pa.float64())
            for name in ("mean", "spread", "difference", "low", "high", "mean_low", "mean_high")
        ),
    ]
)
"""``evaluation.parquet``, as :class:`~adabldm.evaluation.comparison.Line`."""


def _tried(facts: Mapping[str, Any], counted: Counted) -> Tried:
    names = ("detector", "arm", "pictures", "shots", "seed", "figures", "by_type")
    return Tried(**{name: facts[name] for name in names}, counted=counted)


def facts_of(
    trial: Trial, found: Evaluation, *, pictures: int, shots: int, seconds: float
) -> dict[str, Any]:
    """What is written down of a finished trial; with several objects types are
    ``object/type``."""
    several = len(found.by_object) > 1
    by_type = {
        f"{name}/{defect}" if several else defect: figures.as_dict()
        for name, types in found.by_type.items()
        for defect, figures in types.items()
    }
    facts: dict[str, Any] = {
        "arm": trial.setting.arm,
        "detector": trial.detector,
        "pictures": pictures,
        "shots": shots,
        "seed": trial.seed,
        "seconds": round(seconds, 1),
        "figures": found.in_all.as_dict(),
        "by_type": by_type,
    }
    if several:
        facts["by_object"] = {name: one.as_dict() for name, one in found.by_object.items()}
    return facts
