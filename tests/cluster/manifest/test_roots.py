"""Which file a row means, and what is said when it may not be read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cluster.manifest.roots import Roots
from cluster.storage.location import Location


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("job/pics/a.png", "store/pics/a.png"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_bytes(b"a")
    return tmp_path / "job"


def roots(folder: Path, *allowed: str) -> Roots:
    return Roots(Location.of(str(folder)), allowed)


def test_a_link_that_leads_out_is_named_with_its_end_and_what_allows_it(folder: Path) -> None:
    store = folder.parent / "store/pics"
    (folder / "linked").symlink_to("../store/pics")
    told = f"{folder}/linked is a symbolic link to {store}, outside the allowed roots ({folder}); "
    for path in ("linked/a.png", f"{folder}/linked/a.png", f"file://{folder}/linked/a.png"):
        with pytest.raises(ValueError, match=re.escape(f"{told}--allow-root {store} allows it")):
            roots(folder).resolve(path)
    assert roots(folder, str(store)).resolve("linked/a.png").path == f"{store}/a.png"


def test_a_link_to_a_file_and_a_link_behind_a_link_are_named(folder: Path) -> None:
    store = folder.parent / "store/pics"
    (folder / "one.png").symlink_to(store / "a.png")
    (folder / "deep").symlink_to(folder / "pics")
    (folder / "pics/out").symlink_to(store)
    with pytest.raises(ValueError, match=re.escape(f"--allow-root {store} allows it")):
        roots(folder).resolve("one.png")
    with pytest.raises(ValueError, match="deep/out is a symbolic link to "):
        roots(folder).resolve("deep/out/a.png")


def test_a_link_inside_the_roots_is_followed(folder: Path) -> None:
    (folder / "alias").symlink_to("pics")
    assert roots(folder).resolve("alias/a.png").path == f"{folder}/pics/a.png"


def test_a_path_outside_without_a_link_says_so(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"is outside the allowed roots \(.*/job\); --allow-root"):
        roots(folder).resolve(f"{folder.parent}/store/pics/a.png")


def test_a_link_that_was_copied_as_text_is_recognised(folder: Path) -> None:
    (folder / "flat").write_text("../store/pics")
    with pytest.raises(ValueError, match=r"flat is a file.*'\.\./store/pics', as a symbolic link"):
        roots(folder).resolve("flat/a.png")
    (folder / "blob").write_bytes(bytes(range(256)))
    with pytest.raises(ValueError, match=r"blob is a file, not a folder\Z"):
        roots(folder).resolve("blob/a.png")


def test_backslashes_are_read_as_slashes_unless_a_file_is_called_so(folder: Path) -> None:
    assert roots(folder).resolve("pics\\a.png").path == f"{folder}/pics/a.png"
    (folder / "odd\\name.png").write_bytes(b"a")
    assert roots(folder).resolve("odd\\name.png").path == f"{folder}/odd\\name.png"
    with pytest.raises(ValueError, match=r"\.\."):
        roots(folder).resolve("pics\\..\\..\\store\\pics\\a.png")


@pytest.mark.parametrize("path", ["C:\\pics\\a.png", "d:/pics/a.png", "\\\\server\\share\\a.png"])
def test_a_path_of_a_windows_machine_is_named(folder: Path, path: str) -> None:
    with pytest.raises(ValueError, match="is a path on a Windows machine"):
        roots(folder).resolve(path)


def test_http_is_read_below_an_allowed_root_only(folder: Path) -> None:
    url = "http://host:8999/pics/a.png"
    with pytest.raises(ValueError, match=r"http is read below an allowed root only.*--allow-root"):
        roots(folder).resolve(url)
    for other in ("http://host:8999/other", "https://host:8999/pics", "http://host/pics"):
        with pytest.raises(ValueError, match="http is read below an allowed root only"):
            roots(folder, other).resolve(url)
    assert roots(folder, "http://host:8999/pics").resolve(url).uri == url
