"""Places that a user types: made absolute once, where they are typed, and looked at before work.

Each option that takes a place has one of the callbacks here, so nothing behind the command line
ever sees a relative path.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import typer

from adabldm.core.faults import InputFault, JobFault
from adabldm.core.redaction import holds_password
from cluster.storage import web
from cluster.storage.location import Location, location

EMBEDDED = "embedded"
URI_OF_FILE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")

OfText = Callable[[str, str], str]
"""An option's name and what was typed for it, to what is meant; raises :class:`InputFault`."""
Value = str | Path | list[str] | None


def absolute(text: str) -> str:
    """A path without its ``~`` and ``..`` and independent of the working directory; a URI of
    anything but a local file as it is. Names of links are kept."""
    path = os.path.expanduser(text.removeprefix("file://"))
    if not text or "://" in path:
        return text
    path = os.path.join(os.getcwd(), path)
    parts = path.split("/")
    if ".." not in parts:
        return os.path.normpath(path)
    # What is above a link is what is above the place where it leads.
    end = len(parts) - parts[::-1].index("..")
    above = os.path.realpath("/".join(parts[:end]))
    return os.path.normpath("/".join([above, *parts[end:]]))


def _uri(field: str, text: str) -> str:
    """Any URI but http's, which has no folders, and none that holds a password."""
    if holds_password(text):
        raise InputFault.of(
            field, text, "must not hold a password: credentials are the environment's"
        )
    if text.partition("://")[0] in web.HTTP:
        raise InputFault.of(field, text, web.ONLY_PICTURES)
    return absolute(text)


def _model(field: str, text: str) -> str:
    return text if text == EMBEDDED else _uri(field, text)


def _branch(field: str, text: str) -> str:
    alias, equals, uri = text.partition("=")
    return f"{alias}={_uri(field, uri)}" if equals else text


def _backbone(_: str, text: str) -> str:
    """A folder, or a name on a hub."""
    folder = absolute(text)
    return folder if text.startswith((".", "/", "~")) or os.path.isdir(folder) else text


def _local(field: str, text: str) -> str:
    if URI_OF_FILE.match(text):
        raise InputFault.of(field, text, "must be on this machine, no URI")
    return absolute(text)


def _callback(of_text: OfText) -> Callable[[typer.CallbackParam, Value], Value]:
    def made(param: typer.CallbackParam, value: Value) -> Value:
        if value is None:
            return None
        if isinstance(value, Path):
            return Path(of_text(_field(param), str(value)))
        if isinstance(value, str):
            return of_text(_field(param), value)
        return [of_text(_field(param), text) for text in value]

    made.of_text = of_text  # type: ignore[attr-defined]
    return made


def _field(param: Any) -> str:
    """What a user calls an option or an argument."""
    spelled: str = param.opts[0]
    return spelled if spelled.startswith("-") else param.metavar or spelled.upper()


def command_of(verb: Callable[..., None]) -> Any:
    """What the command line's library makes of a verb; its ``params`` are options and arguments."""
    app = typer.Typer(add_completion=False)
    app.command()(verb)
    return typer.main.get_command(app)


def is_place(param: Any) -> bool:
    """Whether an option or an argument of :func:`command_of` is a place."""
    return hasattr(param.callback, "of_text")


def typed(param: Any, text: str) -> str:
    """What the command line makes of a ``text`` typed for ``param``: a place becomes absolute."""
    if not is_place(param):
        return text
    made: str = param.callback.of_text(_field(param), text)
    return made


def made_absolute(command: Any, words: Sequence[str]) -> list[str]:
    """The words after a verb, that of :func:`command_of`, with every place in them absolute."""
    options = {name: one for one in command.params for name in one.opts if name.startswith("-")}
    arguments = [one for one in command.params if one.opts[0] == one.name]
    made, rest = [], list(words)
    while rest:
        word = rest.pop(0)
        name, equals, value = word.partition("=")
        option = options.get(name)
        if option is not None and equals:
            made.append(f"{name}={typed(option, value)}")
        elif option is not None and not option.is_flag and rest:
            made += [name, typed(option, rest.pop(0))]
        elif arguments and not word.startswith("-"):
            made.append(typed(arguments.pop(0), word))
        else:
            made.append(word)
    return made


uri = _callback(_uri)
"""A file or folder under any URI."""
root = _callback(lambda _, text: absolute(text))
"""A folder that pictures may be in; may be below http."""
model = _callback(_model)
"""A model's folder or file, or the one in the package."""
branch = _callback(_branch)
"""``ALIAS=URI``."""
backbone = _callback(_backbone)
"""A folder on this machine, or a name on a hub."""
local = _callback(_local)
"""A file or folder on this machine."""


def refuse_missing(field: str, uri: str | None, *, folder: bool = True) -> None:
    """Raise :class:`InputFault` unless what is said to be at ``uri``, a folder or a file on this
    machine, is there."""
    if uri is None or "://" in uri.removeprefix("file://"):
        return
    path, kind = absolute(uri), "folder" if folder else "file"
    if not os.path.exists(path):
        above = path
        while not os.path.exists(above):
            above = os.path.dirname(above)
        raise InputFault.of(field, path, f"there is no such {kind} ({above} is there)")
    if os.path.isdir(path) is not folder:
        raise InputFault.of(field, path, f"is a {_other(folder)}; it must be a {kind}")


def _other(folder: bool) -> str:
    return "file" if folder else "folder"


def refuse_unwritable(field: str, place: Location, *, folder: bool = True) -> None:
    """Raise :class:`InputFault` if a local ``place``, a folder or a file, cannot be written to,
    before anything is made that would be lost. Nothing is written."""
    if not place.is_local:
        return
    path, kind = place.path, "folder" if folder else "file"
    if os.path.exists(path) and os.path.isdir(path) is not folder:
        raise InputFault.of(field, path, f"is a {_other(folder)}; it must be a {kind}")
    above = path
    while not os.path.exists(above):
        above = os.path.dirname(above)
    if above != path and not os.path.isdir(above):
        raise InputFault.of(field, path, f"{above} is a file, nothing can be below it")
    holder = above if os.path.isdir(above) else os.path.dirname(above)
    effective = os.access in os.supports_effective_ids
    if not os.access(holder, os.W_OK | os.X_OK, effective_ids=effective):
        raise InputFault.of(field, path, f"{holder} cannot be written to")


def written(place: Location) -> str:
    """``place`` as a user would write it, once it was looked at. Raises :class:`JobFault` if
    nothing is there."""
    if not place.exists():
        raise JobFault(f"{place.shown}: was written, but nothing is there now")
    return place.shown


def of_file(path: Path) -> Location:
    """A file or folder on this machine."""
    return location("path", str(path))
