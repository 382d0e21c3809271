"""Failures condemn no request while it may be the model, and stop no job once it is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from adabldm.core.faults import JobFault
from cluster.generate.protocol import CANARY, FAILED, OK, REJECTED, Fact, Work, works_of
from cluster.generate.suspects import HOPELESS_FAILURES, Suspects
from tests.cluster.generate.test_worker import work


@pytest.fixture
def one(tmp_path: Path) -> Work:
    return works_of(work(tmp_path / "in", "sleep://0", 1))[0]


def failed(number: int, *, own: bool = False) -> Fact:
    return Fact(request_id=f"r{number:04d}", status=FAILED, reason="why", own=own)


def hopeless(one: Work) -> Suspects:
    suspects = Suspects(works=False)
    for number in range(HOPELESS_FAILURES):
        assert suspects.canary is None
        assert suspects.take(failed(number), one) == []
    assert suspects.canary is not None
    return suspects


def test_rows_whose_pictures_are_broken_fail_at_once(one: Work) -> None:
    suspects = Suspects(works=False)
    for number in range(HOPELESS_FAILURES + 20):
        assert suspects.take(failed(number, own=True), one) == [failed(number, own=True)]
    assert suspects.canary is None


@pytest.mark.parametrize("status", [OK, REJECTED])
def test_where_a_drawn_request_is_made_the_rows_fail_and_the_job_goes_on(
    one: Work, status: str
) -> None:
    suspects = hopeless(one)
    released = suspects.tried(Fact(request_id=CANARY, status=status))
    assert len(released) == HOPELESS_FAILURES
    assert suspects.canary is None
    assert suspects.take(failed(500), one) == [failed(500)]


def test_where_a_drawn_request_fails_too_the_job_stops_and_none_is_condemned(one: Work) -> None:
    suspects = hopeless(one)
    with pytest.raises(JobFault, match=f"the first {HOPELESS_FAILURES} requests all failed: why"):
        suspects.tried(Fact(request_id=CANARY, status=FAILED, reason="too"))


def test_where_the_model_has_made_others_the_rows_fail(one: Work) -> None:
    suspects = Suspects(works=True)
    assert suspects.take(failed(0), one) == [failed(0)]
    suspects = Suspects(works=False)
    assert suspects.take(failed(0), one) == []
    made = Fact(request_id="r0009", status=REJECTED, reason="drawn so")
    assert suspects.take(made, one) == [failed(0), made]
    assert suspects.take(failed(1), one) == [failed(1)]


def test_few_failures_stand_at_the_end(one: Work) -> None:
    suspects = Suspects(works=False)
    suspects.take(failed(0), one)
    assert suspects.rest() == [failed(0)]
