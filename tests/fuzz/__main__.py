"""``python -m tests.fuzz --count 100000 --seed 0``: ends with a line of counts, 0 or 1."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.fuzz.case import Breach
from tests.fuzz.crew import Crew, Found, Orders
from tests.fuzz.doors import KINDS
from tests.fuzz.one import kind_of, run_one

SHOWN = 60
TOLD_EVERY = 20


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--count", type=int, default=100_000, help="inputs")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default=",".join(KINDS), help="kinds, separated by commas")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--kept", type=Path, default=Path("build/fuzz"), help="failing inputs")
    parser.add_argument("--replay", metavar="SEED:N", help="one input again, told in full")
    asked = parser.parse_args()
    if asked.replay:
        seed, _, number = asked.replay.partition(":")
        return replay(int(seed), int(number))
    kinds = frozenset(asked.only.split(","))
    if strange := kinds - KINDS.keys():
        parser.error(f"--only: {', '.join(sorted(strange))}: must be among {', '.join(KINDS)}")
    orders = Orders(seed=asked.seed, kinds=kinds, kept=asked.kept.resolve())
    return run(orders, asked.count, asked.processes)


def run(orders: Orders, count: int, processes: int) -> int:
    """Do all inputs; 1 if any was wrong."""
    started = told = time.monotonic()
    found = Found()
    try:
        for some in Crew(orders, count, processes).results():
            found.add(some)
            if time.monotonic() - told > TOLD_EVERY:
                told = time.monotonic()
                done, bad = found.inputs.total(), len(found.faults)
                line = f"{done} of {count} inputs, {bad} faults, {told - started:.0f} s"
                print(line, file=sys.stderr, flush=True)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
    for line in faults(found, orders):
        print(line)
    print(counts(found, time.monotonic() - started))
    missing = count - found.inputs.total()
    if missing:
        print(f"{missing} inputs have no result", file=sys.stderr)
    return 1 if found.faults or missing else 0


def faults(found: Found, orders: Orders) -> list[str]:
    """A line a kind of fault: how often, and the first input."""
    first: dict[tuple[str, str, str], int] = {}
    times: Counter[tuple[str, str, str]] = Counter()
    for kind, number, breach in found.faults:
        key = kind, breach.door, breach.sign
        first[key] = min(number, first.get(key, number))
        times[key] += 1
    lines = [
        f"{kind}: {door}: {sign}: {n} times, --replay {orders.seed}:{first[kind, door, sign]}"
        for (kind, door, sign), n in times.most_common(SHOWN)
    ]
    if len(times) > SHOWN:
        lines.append(f"... and {len(times) - SHOWN} more kinds of fault")
    return [*lines, f"kept: {orders.kept}"] if lines else []


def counts(found: Found, seconds: float) -> str:
    """One line: inputs by kind, and by door how many were accepted and refused."""
    parts = []
    faulty = Counter(kind for kind, _, _ in found.faults)
    for kind in found.inputs:
        doors = dict.fromkeys(door for k, door, _ in found.answers if k == kind)
        told = ", ".join(
            f"{door} {found.answers[kind, door, 'accepted']}/{found.answers[kind, door, 'refused']}"
            for door in sorted(doors)
        )
        parts.append(
            f"{kind} {found.inputs[kind]} (accepted/refused: {told}; faults {faulty[kind]})"
        )
    done = f"fuzz: {found.inputs.total()} inputs in {seconds:.0f} s"
    return f"{done}: {'; '.join(sorted(parts))}; faults {len(found.faults)}"


def replay(seed: int, number: int) -> int:
    """Do one input again, and leave its files."""
    place = Path(tempfile.mkdtemp(prefix="adabldm-fuzz-"))
    case = run_one(seed, number, place / "input")
    for name, data in case.kept.items():
        (case.folder / name).write_bytes(data)
    for breach in case.breaches:
        _tell(breach)
    answers = ", ".join(f"{door} {verdict}" for door, verdict in case.counts)
    print(f"{kind_of(seed, number)}: {answers}; faults {len(case.breaches)}: {case.folder}")
    return 1 if case.breaches else 0


def _tell(breach: Breach) -> None:
    print(f"{breach.door}: {breach.sign}\n{breach.told}\n")


if __name__ == "__main__":
    sys.exit(main())
