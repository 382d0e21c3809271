"""A contract for import-linter: which packages can be imported without loading torch."""

from __future__ import annotations

import ast
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output

HEAVY = ("torch", "diffusers", "transformers", "torchvision")
"""Libraries that load torch, or are torch."""


class TorchFreeContract(Contract):
    """No module of ``packages`` loads one of :data:`HEAVY` when it is imported, through any chain
    of imports at module level. Imports in functions and for type checkers do not count."""

    packages = fields.ListField(subfield=fields.StringField())
    exempt = fields.ListField(subfield=fields.StringField(), required=False)

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        del verbose
        exempt = tuple(self.exempt or ())
        names = [
            name
            for name in sorted(graph.modules)
            if _is_in(name, self.packages) and not _is_in(name, exempt)
        ]
        chains = [chain for name in names if (chain := chain_to_torch(name))]
        return ContractCheck(kept=not chains, metadata={"chains": chains})

    def render_broken_contract(self, check: ContractCheck) -> None:
        for chain in check.metadata["chains"]:
            output.print_error(" -> ".join(chain))


def _is_in(name: str, packages: tuple[str, ...] | list[str]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def chain_to_torch(module: str) -> list[str] | None:
    """The modules through which importing ``module`` loads torch, or None."""
    came_from: dict[str, str | None] = {module: None}
    waiting = [module]
    while waiting:
        current = waiting.pop()
        if current.partition(".")[0] in HEAVY:
            return _way(current, came_from)
        for imported in _imports_of(current):
            if imported not in came_from:
                came_from[imported] = current
                waiting.append(imported)
    return None


def _way(end: str, came_from: dict[str, str | None]) -> list[str]:
    chain: list[str] = []
    step: str | None = end
    while step is not None:
        chain.insert(0, step)
        step = came_from[step]
    return chain


@cache
def _imports_of(module: str) -> tuple[str, ...]:
    file = _file(module)
    return () if file is None else tuple(imports_at_module_level(file.read_text()))


def imports_at_module_level(source: str) -> list[str]:
    """Names that importing ``source`` imports: modules, their packages, and what may be either."""
    found: list[str] = []
    for node in _outside_functions(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.append(node.module)
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return [
        ".".join(name.split(".")[: k + 1]) for name in found for k in range(name.count(".") + 1)
    ]


def _outside_functions(node: ast.AST) -> list[ast.AST]:
    """The nodes that run on import."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        return []
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
        return []
    return [
        node,
        *(inner for child in ast.iter_child_nodes(node) for inner in _outside_functions(child)),
    ]


def _file(module: str) -> Path | None:
    """The file of a module of ours, None for everybody else's."""
    if module.partition(".")[0] not in ("adabldm", "cluster", "jobs"):
        return None
    try:
        spec = find_spec(module)
    except (ImportError, AttributeError):
        return None
    return Path(spec.origin) if spec and spec.origin and spec.origin.endswith(".py") else None
