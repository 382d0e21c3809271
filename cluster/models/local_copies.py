"""Models and branches on this machine; what is elsewhere is fetched once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from adabldm.branches.card import CARD, WEIGHTS, BranchFault
from cluster.models.inspect import EMBEDDED, model_files, model_location
from cluster.storage.local_cache import fetched
from cluster.storage.location import Location, location

if TYPE_CHECKING:
    from adabldm.branches.files import Branch


def local_model(uri: str, fingerprint: str) -> Location:
    """Where the files of model ``uri`` are on this machine; a remote model is fetched once."""
    place = model_location(uri)
    if uri == EMBEDDED or place.is_local:
        return place
    folder = fetched("models", fingerprint, lambda: model_files(place))
    return Location.of(str(folder if place.is_folder() else folder / place.name))


def local_branch(uri: str, fingerprint: str) -> Branch:
    """The branch in the folder ``uri``, whose card has ``fingerprint``.

    Raises :class:`BranchFault` for another branch than that, and ``OSError``.
    """
    from adabldm.branches.files import load_branch

    place = location("branch", uri)
    if place.is_local:
        folder = Path(place.path)
    else:
        folder = fetched(
            "branches",
            fingerprint,
            lambda: {name: place.join(name) for name in (CARD, WEIGHTS)},
            check=load_branch,
        )
    branch = load_branch(folder)
    if branch.card.fingerprint != fingerprint:
        raise BranchFault(CARD, uri, "is not the branch that was checked")
    return branch
