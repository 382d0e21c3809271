"""No version that may be installed has a hole that is known; to be kept up by hand, since nothing
is asked of the network."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import version

import pytest

from tests.conftest import ROOT

FIRST_SOUND = {
    "ray": ("2.55", "CVE-2026-41486: reading Parquet with tensor types runs code"),
    "pyarrow": ("14.0.1", "CVE-2023-47248: reading Arrow files with a type of its own runs code"),
    "pillow": ("12.2", "CVE-2026-40192"),
    "torch": ("2.6", "CVE-2025-32434: weights_only does not hold"),
    "aiohttp": ("3.9", "CVE-2023-49081: requests that are split"),
    "jinja2": ("2.10.1", "CVE-2019-10906: templates leave their sandbox"),
    "pyyaml": ("5.4", "CVE-2020-14343: full_load runs code"),
}
"""The first version without it."""


def numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text.partition("+")[0])[:4])


def floors() -> dict[str, str]:
    """The lowest version of each dependency that may be installed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    found = (re.match(r"([\w-]+)(?:\[.*\])?>=([\d.]+)", one) for one in project["dependencies"])
    return {match[1].lower(): match[2] for match in found if match}


@pytest.mark.parametrize("name", FIRST_SOUND)
def test_no_version_with_a_known_hole_may_be_installed(name: str) -> None:
    sound, hole = FIRST_SOUND[name]
    assert numbers(floors()[name]) >= numbers(sound), hole
    assert numbers(version(name)) >= numbers(sound), hole


def test_every_dependency_has_a_floor() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert len(floors()) == len(project["dependencies"])


def test_what_is_tested_together_is_above_the_floors() -> None:
    pinned = dict(
        line.strip().lower().split("==", 1)
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if "==" in line and not line.startswith("#")
    )
    for name, (sound, hole) in FIRST_SOUND.items():
        if name in pinned:
            assert numbers(pinned[name]) >= numbers(sound), hole
