"""A headless Chromium, where there is one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

NAMES = ("chromium", "chromium-browser", "google-chrome")
DRIVER = "chromedriver"
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars")
PHONE = 700
"""Narrower windows are phones'."""


class NoBrowser(Exception):
    """There is no browser here; says what is lacking."""


@contextmanager
def opened_browser(
    *, width: int = 1280, height: int = 900, scheme: str = "light"
) -> Iterator[Chrome]:
    """A browser with a window of ``width`` x ``height`` pixels, in the colour ``scheme`` light or
    dark, that keeps what the console says. Raises :class:`NoBrowser`."""
    try:
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service
    except ImportError as error:
        raise NoBrowser("the Python package selenium is not installed") from error
    binary = next((path for name in NAMES if (path := shutil.which(name))), None)
    driver = shutil.which(DRIVER)
    if binary is None or driver is None:
        lacking = "chromium" if binary is None else DRIVER
        raise NoBrowser(f"{lacking} is not installed (`make browser`)")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    # Containers have little of the shared memory that Chromium would use.
    for flag in (*FLAGS, "--disable-dev-shm-usage"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options=options, service=Service(driver))
    try:
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < PHONE}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        colours = [{"name": "prefers-color-scheme", "value": scheme}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": colours})
        yield browser
    finally:
        browser.quit()
