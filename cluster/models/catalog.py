"""The branches that a job may use: found, named, and held against the job's model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from adabldm.branches.card import CARD, WEIGHTS, BranchCard, BranchFault
from adabldm.core.faults import InputFault
from adabldm.core.names import MAX_NAME_BYTES, name_fault
from cluster.models.inspect import EMBEDDED, ModelFacts, safetensors_fault
from cluster.storage.hashing import file_sha256
from cluster.storage.location import Location, location

MAX_CARD_BYTES = 1 << 20
READERS = 16


@dataclass(frozen=True, kw_only=True)
class FoundBranch:
    """A branch's folder and its card."""

    place: Location
    card: BranchCard


def open_branches(
    named: Sequence[str], folder: str | None, base: ModelFacts
) -> Mapping[str, FoundBranch]:
    """The branches of ``--branch ALIAS=URI`` and below the folder of ``--branches``, by alias, all
    trained on the job's model ``base``.

    Raises :class:`InputFault`: an alias that is none or that is there twice, a folder without
    branches, and of each branch the first fault of :func:`read_branch`.
    """
    places = _places(named, folder)

    def read(alias: str) -> FoundBranch | str:
        try:
            return read_branch(places[alias], base)
        except BranchFault as fault:
            return f"branch {alias!r} ({places[alias].shown}): {fault}"

    with ThreadPoolExecutor(READERS) as pool:
        results = dict(zip(places, pool.map(read, places), strict=True))
    if faults := [result for result in results.values() if isinstance(result, str)]:
        raise InputFault(*faults)
    return {alias: one for alias, one in results.items() if isinstance(one, FoundBranch)}


def read_branch(place: Location, base: ModelFacts) -> FoundBranch:
    """The branch in the folder ``place``, its weights looked at but not read.

    Raises :class:`BranchFault` for a card or weights that are none, and for a branch that was
    trained on another model than ``base`` or at another size.
    """
    try:
        card = BranchCard.from_json(place.join(CARD).read(MAX_CARD_BYTES))
        rule = safetensors_fault(place.join(WEIGHTS))
    except FileNotFoundError as error:
        raise BranchFault("folder", place.shown, f"must hold {CARD} and {WEIGHTS}") from error
    except OSError as error:
        raise BranchFault("folder", place.shown, f"cannot be read ({error})") from error
    if rule:
        raise BranchFault(WEIGHTS, place.shown, rule)
    if card.base_fingerprint != base.fingerprint:
        told = f"was trained on another base than --model {base.uri!r} ({base.fingerprint[:12]})"
        raise BranchFault("base_fingerprint", card.base_fingerprint[:12], told)
    if base.image_size not in (None, card.image_size):
        rule = f"--model {base.uri!r} works at {base.image_size} pixels"
        raise BranchFault("image_size", card.image_size, rule)
    return FoundBranch(place=place, card=card)


def refuse_other_weights(branch: FoundBranch) -> None:
    """Read the weights through; raises :class:`BranchFault` unless they are the card's."""
    try:
        found = file_sha256(branch.place.join(WEIGHTS))
    except OSError as error:
        rule = f"cannot be read ({error})"
        raise BranchFault(WEIGHTS, branch.place.shown, rule) from error
    if found != branch.card.weights_sha256:
        rule = f"the SHA-256 of {WEIGHTS} is {found[:12]}"
        raise BranchFault("weights_sha256", branch.card.weights_sha256[:12], rule)


def _places(named: Sequence[str], folder: str | None) -> dict[str, Location]:
    """Folders by alias, as they were typed and found. Raises :class:`InputFault`."""
    places: dict[str, Location] = {}
    faults: list[str] = []
    for option, alias, place in [*_typed(named), *_found(folder)]:
        if alias in places:
            rule = f"is the alias of {places[alias].shown} and of {place.shown}"
            faults.append(f"{option}: {alias!r}: {rule}")
        elif broken := _alias_fault(alias):
            faults.append(f"{option}: {alias!r}: {broken}")
        places.setdefault(alias, place)
    if faults:
        raise InputFault(*faults)
    return places


def _typed(named: Sequence[str]) -> list[tuple[str, str, Location]]:
    typed = []
    for text in named:
        alias, equals, uri = text.partition("=")
        if not equals:
            raise InputFault.of("--branch", text, "must be ALIAS=URI")
        typed.append(("--branch", alias, location("--branch", uri)))
    return typed


def _found(folder: str | None) -> list[tuple[str, str, Location]]:
    if folder is None:
        return []
    root = location("--branches", folder)
    try:
        inner = sorted(path.rpartition("/")[0] for path in root.files() if _is_card(path))
    except OSError as error:
        raise InputFault.of("--branches", folder, f"cannot be read ({error})") from error
    if not inner:
        raise InputFault.of("--branches", folder, f"no folder below it holds a {CARD}")
    if inner[0] == "":
        return [("--branches", root.name, root)]
    return [("--branches", path, root.join(path)) for path in inner]


def _is_card(path: str) -> bool:
    return path.rpartition("/")[2] == CARD


def _alias_fault(alias: str) -> str | None:
    """The rule that ``alias`` breaks, or None."""
    if alias == EMBEDDED:
        return f"{EMBEDDED} is the model in the package"
    if len(alias.encode("utf-8", "surrogatepass")) > MAX_NAME_BYTES:
        return f"must have at most {MAX_NAME_BYTES} bytes"
    rules = [name_fault(part) for part in alias.split("/")]
    broken = next((rule for rule in rules if rule), None)
    return broken and f"an alias is one or more names between slashes; each {broken}"
