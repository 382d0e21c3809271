"""Which model makes a row, from what its ``model`` column says."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from adabldm.branches.card import CARD
from adabldm.core.faults import InputFault
from cluster.models.catalog import FoundBranch, read_branch, refuse_other_weights
from cluster.models.inspect import EMBEDDED, ModelFacts, model_location
from cluster.models.kinds import kind_of
from cluster.storage.hashing import sha256
from cluster.storage.location import Location
from cluster.storage.once import Once

KEPT_MODELS = 10_000
SHOWN_ALIASES = 10
NO_BRANCH = "has no control branch: train one with `adabldm train`"


@dataclass(frozen=True, kw_only=True)
class RowModel:
    """A whole model (a URI), perhaps with a branch (its folder's URI) in place; the SHA-256 of
    both; the side of its pictures in pixels, None where only loading it tells."""

    model: str
    model_fingerprint: str
    branch: str | None = None
    branch_fingerprint: str | None = None
    image_size: int | None = None

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all that makes the row's pixels."""
        if self.branch is None:
            return self.model_fingerprint
        both = [self.model_fingerprint, self.branch_fingerprint]
        return sha256(json.dumps(both).encode())


class RowModels:
    """Finds the models of a manifest's rows, each of which is looked at once.

    ``resolve`` gives the place that a row names, or raises ``ValueError``; ``base`` is the job's
    own model; ``inspect`` as :func:`~cluster.models.kinds.inspect_model`. Safe to share between
    threads.
    """

    def __init__(
        self,
        resolve: Callable[[str], Location],
        base: ModelFacts,
        inspect: Callable[[str], ModelFacts],
        branches: Mapping[str, FoundBranch],
    ) -> None:
        self._resolve = resolve
        self._base = base
        has_files = kind_of(base.uri).has_files
        self._base_uri = model_location(base.uri).uri if has_files else base.uri
        self._inspect = inspect
        self._branches = branches
        self._known: Once[RowModel] = Once(KEPT_MODELS)
        self._whole: Once[RowModel] = Once(KEPT_MODELS)

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
        if not said or said == base.uri:
            return RowModel(
                model=base.uri, model_fingerprint=base.fingerprint, image_size=base.image_size
            )
        if said in self._branches:
            return self._on_base(self._branches[said])
        kind = kind_of(said)
        if said == EMBEDDED or (kind is kind_of(base.uri) and not kind.has_files):
            return self._whole_model(said)
        place = self._resolve(said)
        if place.join(CARD).exists():
            return self._on_base(read_branch(place, base))
        self._refuse_unknown_alias(place)
        return self._whole.get(place.uri, lambda: self._whole_model(place.uri))

    def _whole_model(self, uri: str) -> RowModel:
        """A model that a row names by itself. Raises :class:`InputFault`."""
        facts = self._base if uri == self._base_uri else self._inspect(uri)
        if not facts.has_control_branch:
            raise InputFault.of("model", uri, NO_BRANCH)
        return RowModel(model=uri, model_fingerprint=facts.fingerprint, image_size=facts.image_size)

    def _on_base(self, branch: FoundBranch) -> RowModel:
        refuse_other_weights(branch)
        return RowModel(
            model=self._base.uri,
            model_fingerprint=self._base.fingerprint,
            branch=branch.place.uri,
            branch_fingerprint=branch.card.fingerprint,
            image_size=branch.card.image_size,
        )

    def _refuse_unknown_alias(self, place: Location) -> None:
        if place.exists():
            return
        known = sorted(self._branches)
        shown = ", ".join(known[:SHOWN_ALIASES]) or "none"
        more = f" and {len(known) - SHOWN_ALIASES} more" if len(known) > SHOWN_ALIASES else ""
        raise ValueError(f"is no file or folder, nor the alias of a branch (these: {shown}{more})")
