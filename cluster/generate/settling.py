"""Whose fault a trouble on a worker is, as the driver sees it from where it is."""

from __future__ import annotations

from dataclasses import replace

from cluster.generate.protocol import FAILED, UNLOADABLE, UNREAD, UNSTARTED, Fact, Work
from cluster.storage.doubt import FINAL, Doubt
from cluster.storage.location import Location

NO_FILE = "there is no such file"


class Settling:
    """Of requests of the manifest at ``manifest`` whose job has the model ``model`` (a URI)."""

    def __init__(self, manifest: Location, model: str) -> None:
        self._manifest, self._model = manifest, model
        self._doubt = Doubt()

    def __call__(self, fact: Fact, work: Work) -> Fact | None:
        """The request's failure if the trouble is its own: a model of its own that cannot be
        loaded, or a picture that has gone. None where it may be a node's or a store's."""
        if fact.status in (UNLOADABLE, UNSTARTED):
            own = work.branch is not None or work.model != self._model
            return _failed(fact, str(fact.reason)) if own else None
        if fact.status != UNREAD:
            return None
        gone = self._gone(work)
        return _failed(fact, gone) if gone is not None else None

    def _gone(self, work: Work) -> str | None:
        """What of ``work`` is not there from here either, though the manifest is."""
        for field, blob in work.pictures():
            if blob["bytes"] is not None:
                continue
            place = Location.of(blob["path"] or "")
            error = self._trouble(place)
            if isinstance(error, FINAL):
                if not self._manifest_is_there():
                    return None
                rule = error.strerror or _rule(error)
                return f"{field}: {place.shown}: {rule}"
            if error is not None:
                return None
        return None

    def _trouble(self, place: Location) -> BaseException | None:
        """Why the file cannot be read from here. A store may refuse or deny for a moment: it is
        asked for a while before it is believed, and then believed at once for a minute."""
        try:
            self._doubt.ask(place, place.read, OSError)
        except OSError as error:
            return error
        return None

    def _manifest_is_there(self) -> bool:
        try:
            return self._manifest.exists()
        except OSError:
            return False


def _rule(error: OSError) -> str:
    return "may not be read" if isinstance(error, PermissionError) else NO_FILE


def _failed(fact: Fact, reason: str) -> Fact:
    return replace(fact, status=FAILED, reason=reason, own=True)
