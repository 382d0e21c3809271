"""What the documentation points to is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
HISTORY = "CHANGELOG.md"
README_LINES = 150
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")
PATH = re.compile(r"`((?:adabldm|cluster|jobs|tests|examples|docs)/[\w/.]+)`")
MODULE = re.compile(r"python -m ([\w.]+)")
IN_FILE = re.compile(r"((?:`[\w.]+`(?:, )?)+)(?: in | \()`([\w/]+\.py)`")
TABLES = ("docs/method.md", "docs/architecture.md")


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.fixture(params=PAGES, ids=name)
def page(request: pytest.FixtureRequest) -> Path:
    return request.param


def test_every_link_leads_somewhere(page: Path) -> None:
    targets = [to for to in LINK.findall(page.read_text()) if "://" not in to]
    assert [to for to in targets if not (page.parent / to).exists()] == []


def test_every_file_and_module_that_is_named_is_there(page: Path) -> None:
    text = page.read_text()
    modules = [
        f"{path}/__main__.py" if (ROOT / path).is_dir() else f"{path}.py"
        for path in (module.replace(".", "/") for module in MODULE.findall(text))
    ]
    assert [to for to in [*PATH.findall(text), *modules] if not (ROOT / to).exists()] == []


@pytest.mark.parametrize("table", TABLES)
def test_every_function_is_in_the_file_that_is_named_with_it(table: str) -> None:
    found = IN_FILE.findall((ROOT / table).read_text())
    assert len(found) > 5
    for names, file in found:
        source = (ROOT / file).read_text()
        for one in re.findall(r"`([\w.]+)`", names):
            defined = re.compile(rf"(def|class) {one.rpartition('.')[2]}\b")
            assert defined.search(source), f"{one} in {file}"


def test_the_readme_can_be_read_to_its_end() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= README_LINES


def test_every_measurement_says_when_on_what_and_how() -> None:
    pages = [page for page in PAGES if page.parent.name == "measurements"]
    for page in pages:
        if page.name != "README.md":
            text = page.read_text()
            assert re.search(r"20\d\d-\d\d-\d\d", text), page.name
            assert re.search(r"\b[0-9a-f]{7}\b", text), page.name
            assert "2 cores, 24 GB, no GPU" in text, page.name
            assert re.search(r"(python -m|pytest|make|adabldm) \w", text), page.name
            listed = (page.parent / "README.md").read_text()
            assert f"({page.name})" in listed, page.name
