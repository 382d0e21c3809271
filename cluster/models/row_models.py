"""Which model makes a row, from what its ``model`` column says."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from adabldm.branches.card import CARD
from cluster.manifest.reader import Manifest
from cluster.models.catalog import Base, FoundBranch, read_branch, refuse_other_weights
from cluster.models.inspect import EMBEDDED, is_sleeping
from cluster.storage.hashing import sha256
from cluster.storage.location import Location
from cluster.storage.once import Once

KEPT_MODELS = 10_000
SHOWN_ALIASES = 10


@dataclass(frozen=True, kw_only=True)
class RowModel:
    """A whole model (a URI), perhaps with a branch (its folder's URI) in place; the SHA-256 of
    both."""

    model: str
    model_fingerprint: str
    branch: str | None = None
    branch_fingerprint: str | None = None

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all that makes the row's pixels."""
        if self.branch is None:
            return self.model_fingerprint
        both = [self.model_fingerprint, self.branch_fingerprint]
        return sha256(json.dumps(both).encode())


class RowModels:
    """Finds the models of ``manifest``'s rows; ``fingerprint_of`` gives a whole model's by its URI.

    Safe to share between threads.
    """

    def __init__(
        self,
        manifest: Manifest,
        base: Base,
        fingerprint_of: Callable[[str], str],
        branches: Mapping[str, FoundBranch],
    ) -> None:
        self._manifest = manifest
        self._base = base
        self._fingerprint_of = fingerprint_of
        self._branches = branches
        self._known: Once[RowModel] = Once(KEPT_MODELS)

    def of(self, said: str | None) -> RowModel:
        """The model of a row that says: nothing (the job's), an alias, or the URI of a branch or of
        a whole model inside the manifest's roots.

        Raises ``ValueError`` with the rule.
        """
        try:
            return self._known.get(said, lambda: self._find(said))
        except OSError as error:
            raise ValueError(f"cannot be read ({error})") from error

    def _find(self, said: str | None) -> RowModel:
        base = self._base
        if not said or said == base.model:
            return RowModel(model=base.model, model_fingerprint=base.fingerprint)
        if said in self._branches:
            return self._on_base(self._branches[said])
        if said == EMBEDDED or (is_sleeping(said) and is_sleeping(base.model)):
            return RowModel(model=said, model_fingerprint=self._fingerprint_of(said))
        place = self._manifest.resolve(said)
        if place.join(CARD).exists():
            return self._on_base(read_branch(place, base))
        self._refuse_unknown_alias(place)
        return RowModel(model=place.uri, model_fingerprint=self._fingerprint_of(place.uri))

    def _on_base(self, branch: FoundBranch) -> RowModel:
        refuse_other_weights(branch)
        return RowModel(
            model=self._base.model,
            model_fingerprint=self._base.fingerprint,
            branch=branch.place.uri,
            branch_fingerprint=branch.card.fingerprint,
        )

    def _refuse_unknown_alias(self, place: Location) -> None:
        if place.exists():
            return
        known = sorted(self._branches)
        shown = ", ".join(known[:SHOWN_ALIASES]) or "none"
        more = f" and {len(known) - SHOWN_ALIASES} more" if len(known) > SHOWN_ALIASES else ""
        raise ValueError(f"is no file or folder, nor the alias of a branch (these: {shown}{more})")
