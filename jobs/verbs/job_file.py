"""Job files: a command of this program with its options by name, in YAML; the same file runs here
and on a cluster."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from contextlib import chdir
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import typer

from adabldm.core.faults import InputFault, one_line
from jobs.verbs import places

if TYPE_CHECKING:
    from jobs.verbs.job_schema import JobFile

MOST_BYTES = 1 << 20


def read_job_file(path: Path, verbs: Mapping[str, ModuleType]) -> tuple[list[str], str | None]:
    """The command line that the file at ``path`` stands for, the verb's name first, and the
    cluster's address. Relative places in it are relative to the file's folder.

    Raises :class:`InputFault`, a line a fault.
    """
    job = _parsed(path)
    if job.run not in verbs:
        raise InputFault.of("run", job.run, f"is one of {', '.join(verbs)}")
    command = places.command_of(verbs[job.run].main)
    words, faults = _words(command, job)
    if not faults:
        try:
            with chdir(path.parent):
                command.make_context(job.run, [*words])
                return [job.run, *places.made_absolute(command, words)], job.address
        except typer.BadParameter as error:
            name = _name(error.param) if error.param else ""
            value = job.options.get(name, job.options.get(name.replace("_", "-")))
            faults.append(f"with.{name}: {value!r}: {one_line(ValueError(error.message))}")
        except InputFault as error:
            faults += [f"with: {line}" for line in error.lines]
    raise InputFault(*(f"{path}: {fault}" for fault in faults))


def _parsed(path: Path) -> JobFile:
    from pydantic import ValidationError

    from adabldm.core.yaml_text import YamlFault, load_yaml
    from jobs.verbs.job_schema import JobFile

    try:
        if path.stat().st_size > MOST_BYTES:
            raise InputFault.of("--spec", str(path), f"is larger than {MOST_BYTES} bytes")
        found = load_yaml(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, YamlFault) as error:
        raise InputFault.of("--spec", str(path), one_line(error)) from error
    try:
        return JobFile.model_validate(found)
    except ValidationError as error:
        lines = []
        for one in error.errors():
            where = ".".join(str(part) for part in one["loc"][:2]) or "file"
            line = f"{path}: {where}: {one['input']!r:.80}: {one['msg'].lower()}"
            if line not in lines:
                lines.append(line)
        raise InputFault(*lines) from error


def _words(command: Any, job: JobFile) -> tuple[list[str], list[str]]:
    """The command line's words after the verb, and what is wrong with the file."""
    known = {_name(param): param for param in command.params if param.name != "help"}
    given = {name.replace("-", "_"): value for name, value in job.options.items()}
    arguments: list[str] = []
    options: list[str] = []
    faults: list[str] = []
    for name, value in given.items():
        if name not in known:
            near = difflib.get_close_matches(name, [one for one in known if one not in given], 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            faults.append(f"with.{name}: {value!r}: is no option of {job.run}{hint}")
            continue
        try:
            made = _spelled(known[name], value)
        except ValueError as error:
            faults.append(f"with.{name}: {value!r}: {error}")
            continue
        (options if _is_option(known[name]) else arguments).extend(made)
    for name, param in known.items():
        if param.required and name not in given:
            faults.append(f"with.{name}: is missing: {job.run} needs it")
    return [*options, *arguments], faults


def _spelled(param: Any, value: Any) -> list[str]:
    """The words of one option."""
    if getattr(param, "is_flag", False):
        if not isinstance(value, bool):
            raise ValueError("must be true or false")
        if not value and not param.secondary_opts:
            return []
        return [(param.opts if value else param.secondary_opts)[0]]
    if isinstance(value, list) and not getattr(param, "multiple", False):
        raise ValueError("must be one value, no list")
    values = value if isinstance(value, list) else [value]
    if any(isinstance(one, bool) for one in values):
        raise ValueError("must be a text or a number")
    return [f"{param.opts[0]}={one}" if _is_option(param) else str(one) for one in values]


def _is_option(param: Any) -> bool:
    return str(param.opts[0]).startswith("-")


def _name(param: Any) -> str:
    """What a job file calls it: as `--help` does, in small letters and without dashes."""
    spelled = param.opts[0] if _is_option(param) else param.metavar or param.name
    return str(spelled).lstrip("-").replace("-", "_").lower()
