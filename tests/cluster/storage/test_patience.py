"""A store that is away, or refuses, for a moment is waited for; one that stays away is named."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import tenacity.nap

from adabldm.core.faults import JobFault
from cluster.storage.location import Location, passes
from cluster.storage.patience import ATTEMPTS, patiently

PLACE = Location("s3", "bucket/out/a.png")


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that were waited, none of them in truth."""
    waited: list[float] = []
    monkeypatch.setattr(tenacity.nap.time, "sleep", waited.append)
    return waited


def failing(error: Exception, times: int) -> Callable[[], str]:
    left = [error] * times

    def action() -> str:
        if left:
            raise left.pop()
        return "answer"

    return action


@pytest.mark.parametrize("error", [PermissionError("Forbidden"), OSError("SlowDown")])
def test_what_passes_is_waited_for_a_refusal_too(error: OSError, waits: list[float]) -> None:
    assert patiently(PLACE, failing(error, ATTEMPTS - 1)) == "answer"
    assert 20 < sum(waits) < 60


def test_what_does_not_pass_ends_the_job_in_a_line_with_its_place(waits: list[float]) -> None:
    with pytest.raises(JobFault, match=r"^s3://bucket/out/a.png: Forbidden$"):
        patiently(PLACE, failing(PermissionError("Forbidden"), ATTEMPTS))


def test_a_disk_is_asked_once(waits: list[float]) -> None:
    with pytest.raises(JobFault, match=r"^/out/a.png: no$"):
        patiently(Location("file", "/out/a.png"), failing(OSError("no"), 1))
    assert not waits


@pytest.mark.parametrize(
    ("place", "error", "expected"),
    [
        (PLACE, OSError("SlowDown"), True),
        (PLACE, TimeoutError("read"), True),
        (PLACE, FileNotFoundError("x"), False),
        (PLACE, PermissionError("x"), False),
        (Location("file", "/a"), OSError("x"), False),
        (Location("https", "host/a.png"), OSError("x"), False),
    ],
)
def test_a_store_that_is_away_is_told_from_what_is_there(
    place: Location, error: OSError, expected: bool
) -> None:
    assert passes(place, error) is expected
