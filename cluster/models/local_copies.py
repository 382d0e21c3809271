"""Models and branches on this machine; what is elsewhere is fetched once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from adabldm.branches.card import CARD, WEIGHTS, BranchFault
from adabldm.core.faults import InputFault
from cluster.models.inspect import EMBEDDED, files_fingerprint, model_files, model_location
from cluster.storage.local_cache import fetched
from cluster.storage.location import Location, location

if TYPE_CHECKING:
    from adabldm.branches.files import Branch


OTHER = "is not the model that was checked"


def local_model(uri: str, fingerprint: str) -> Location:
    """Where the files of model ``uri`` are on this machine; a remote model is fetched once. A local
    one without ``fingerprint`` was not looked at before.

    Its files are looked at as they lie there, each time. Raises
    :class:`~adabldm.core.faults.InputFault` for files that are not those of ``fingerprint``, and
    :class:`~cluster.storage.local_cache.FetchFault`.
    """
    place = model_location(uri)
    if uri == EMBEDDED:
        return place
    if place.is_local:
        if fingerprint:
            _refuse_other(uri, model_files(place), fingerprint)
        return place
    names: list[str] = []

    def files() -> Mapping[str, Location]:
        found = model_files(place)
        names.extend(found)
        return found

    def check(folder: Path) -> None:
        held = names or sorted(_names(folder))
        here = {name: Location.of(str(folder / name)) for name in held}
        _refuse_other(uri, here, fingerprint)

    folder = fetched("models", fingerprint, files, check)
    is_folder = not (folder / place.name).is_file()
    return Location.of(str(folder if is_folder else folder / place.name))


def _names(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*"):
        if path.is_file():
            yield path.relative_to(folder).as_posix()


def _refuse_other(uri: str, files: Mapping[str, Location], fingerprint: str) -> None:
    if files_fingerprint(files) != fingerprint:
        raise InputFault.of("model", uri, OTHER)


def local_branch(uri: str, fingerprint: str) -> Branch:
    """The branch in the folder ``uri``, whose card has ``fingerprint``.

    Raises :class:`BranchFault` for another branch than that, and ``OSError``.
    """
    from adabldm.branches.files import load_branch

    def checked(folder: Path) -> Branch:
        branch = load_branch(folder)
        if branch.card.fingerprint != fingerprint:
            raise BranchFault(CARD, uri, "is not the branch that was checked")
        return branch

    place = location("branch", uri)
    if place.is_local:
        return checked(Path(place.path))
    files = {name: place.join(name) for name in (CARD, WEIGHTS)}
    return load_branch(fetched("branches", fingerprint, lambda: files, check=checked))
