import os
import re
from pathlib import Path

import pytest

from cluster.storage.location import PARTIAL, Location, TooLargeError


@pytest.fixture(params=["local", "s3"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Location:
    if request.param == "local":
        return Location.of(str(tmp_path / "out"))
    return Location.of(request.getfixturevalue("s3") + "/out")


def test_what_is_written_is_read_back_and_listed(folder: Location) -> None:
    folder.join("a/b.png").write(b"123", partial=folder.join(PARTIAL))
    folder.join("c").write(b"4")
    assert folder.join("a/b.png").read() == b"123"
    assert set(folder.files()) == {"a/b.png", "c"}
    folder.join("c").remove()
    folder.join("c").remove()
    assert set(folder.files()) == {"a/b.png"}


def test_a_file_is_created_by_one_only(folder: Location) -> None:
    folder.join("run.json").create(b"mine")
    with pytest.raises(FileExistsError):
        folder.join("run.json").create(b"yours")
    assert folder.join("run.json").read() == b"mine"
    assert set(folder.files()) == {"run.json"}


def test_a_file_of_too_many_bytes_is_not_read(folder: Location) -> None:
    folder.join("big").write(b"x" * 11)
    assert folder.join("big").read(11) == b"x" * 11
    with pytest.raises(TooLargeError):
        folder.join("big").read(10)


def test_a_missing_file_says_so_at_once(folder: Location) -> None:
    with pytest.raises(FileNotFoundError):
        folder.join("nothing").read()
    assert list(folder.join("nowhere").files()) == []


def test_a_symbolic_link_leads_where_it_leads(tmp_path: Path) -> None:
    root = Location.of(str(tmp_path / "root"))
    (tmp_path / "root").mkdir()
    (tmp_path / "root/way_out").symlink_to("/etc")
    assert not Location.of("way_out/passwd", root).inside(root)
    assert Location.of("inner/file.png", root).inside(root)
    assert not Location.of(str(tmp_path / "root_too/x"), root).inside(root)


@pytest.mark.parametrize(
    "uri", ["../x", "a/../../x", "s3://b/../c", "zip://a::file:///b", "", "x:y://z"]
)
def test_a_uri_that_could_lead_astray_is_refused(uri: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"\.\.|URI|cannot be used"):
        Location.of(uri, Location.of(str(tmp_path)))


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "good.png")
    with pytest.raises(PermissionError, match="pipe"):
        Location.of(str(tmp_path / "good.png")).read()


@pytest.mark.parametrize(
    ("uri", "rule"),
    [
        ("generic://a/b", "generic:// has no files of its own"),
        ("reference://a", "reference:// has no files of its own"),
        ("simplecache://a", "simplecache:// has no files of its own"),
        ("zip://a", "zip:// has no files of its own"),
        ("github://a/b", "github:// cannot be used: it needs more than a URI: org, repo"),
        ("ftp://host/a", "ftp:// cannot be used: it needs more than a URI: host"),
        ("nothing://a", "nothing:// cannot be used: Protocol not known: nothing"),
    ],
)
def test_a_scheme_that_leads_nowhere_is_refused_by_name(uri: str, rule: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(rule)}"):
        Location.of(uri)
