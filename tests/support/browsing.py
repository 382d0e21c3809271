"""A browser for tests; they are skipped where there is none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from jobs.bench.browser import NoBrowser, opened_browser

if TYPE_CHECKING:
    from selenium.webdriver import Chrome


@contextmanager
def browser_or_skip(**how: object) -> Iterator[Chrome]:
    """As :func:`jobs.bench.browser.opened_browser`."""
    try:
        with opened_browser(**how) as browser:  # type: ignore[arg-type]
            yield browser
    except NoBrowser as lacking:
        pytest.skip(str(lacking))


def complaints(browser: Chrome) -> list[str]:
    """What the console has said since it was last asked."""
    return [entry["message"] for entry in browser.get_log("browser")]
