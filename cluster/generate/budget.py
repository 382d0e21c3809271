"""How long a run may take and what an output may cost; then it ends in good order."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from adabldm.core.faults import InputFault, JobFault


@dataclass(frozen=True, kw_only=True)
class Budget:
    """``price`` of a worker's hour; a run takes ``max_hours`` at most; all runs on an output, from
    when each worker was ready to its end, cost ``max_cost`` at most. None: any."""

    price: float | None = None
    max_hours: float | None = None
    max_cost: float | None = None


class Spending:
    """What a run spends of ``budget``; ``worker_seconds`` are those of this run so far, the hours
    and the cost ``before`` those of earlier ones."""

    def __init__(
        self,
        budget: Budget,
        worker_seconds: Callable[[], float],
        hours_before: float = 0.0,
        cost_before: float = 0.0,
    ) -> None:
        self._budget, self._worker_seconds = budget, worker_seconds
        self._hours_before, self._cost_before = hours_before, cost_before
        self._began = time.monotonic()

    @property
    def worker_hours(self) -> float:
        """Of all runs on the output."""
        return self._hours_before + self._worker_seconds() / 3600

    @property
    def cost(self) -> float | None:
        """Of all runs on the output that were told a price; None if none was."""
        if self._budget.price is None:
            return self._cost_before or None
        return self._cost_before + self._worker_seconds() / 3600 * self._budget.price

    def over(self) -> JobFault | None:
        """Why the run is to end now."""
        limits, hours = self._budget, (time.monotonic() - self._began) / 3600
        if limits.max_hours is not None and hours >= limits.max_hours:
            return JobFault(f"--max-hours: {limits.max_hours:g}: the time is over")
        cost = self.cost
        if limits.max_cost is not None and cost is not None and cost >= limits.max_cost:
            return JobFault(f"--max-cost: {limits.max_cost:g}: {cost:.2f} are spent")
        return None

    def refuse_spent(self) -> None:
        """Raise :class:`InputFault` if earlier runs have cost all that there is."""
        most = self._budget.max_cost
        if most is not None and self._cost_before >= most:
            rule = f"earlier runs on this output have cost {self._cost_before:.2f}"
            raise InputFault.of("--max-cost", most, rule)
