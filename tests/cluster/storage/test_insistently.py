"""A store that fails in passing is asked again, and one that has answered is not."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import tenacity.nap

from cluster.storage.location import ATTEMPTS, insistently
from cluster.storage.once import Once


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that were waited, none of them in truth."""
    waited: list[float] = []
    monkeypatch.setattr(tenacity.nap.time, "sleep", waited.append)
    return waited


def failing(*errors: Exception) -> Callable[[], str]:
    left = list(errors)

    def action() -> str:
        if left:
            raise left.pop(0)
        return "answer"

    return action


def test_what_passes_is_asked_again_a_little_later(waits: list[float]) -> None:
    assert insistently(failing(OSError("reset"), KeyError("odd"))) == "answer"
    assert waits == pytest.approx([0.2, 0.8])


def test_the_last_error_is_raised_as_an_os_error(waits: list[float]) -> None:
    with pytest.raises(OSError, match=r"^reset 3$"):
        insistently(failing(*(OSError(f"reset {n + 1}") for n in range(ATTEMPTS))))
    with pytest.raises(OSError, match=r"^KeyError: 'odd'$"):
        insistently(failing(*(KeyError("odd") for _ in range(ATTEMPTS))))
    assert len(waits) == 2 * (ATTEMPTS - 1)


@pytest.mark.parametrize("kind", [FileNotFoundError, PermissionError, FileExistsError])
def test_an_answer_is_not_asked_for_again(kind: type[OSError], waits: list[float]) -> None:
    with pytest.raises(kind):
        insistently(failing(kind("no")))
    assert waits == []


def test_results_and_errors_are_made_once_and_the_oldest_is_forgotten() -> None:
    made: list[str] = []
    known: Once[str] = Once(2)

    def get(key: str) -> str:
        def make() -> str:
            made.append(key)
            if key == "bad":
                raise ValueError("bad")
            return key

        return known.get(key, make)

    assert [get("a"), get("b"), get("a")] == ["a", "b", "a"]
    for _ in range(2):
        with pytest.raises(ValueError, match="bad"):
            get("bad")
    assert [get("a"), get("b")] == ["a", "b"]
    assert made == ["a", "b", "bad", "b"]
