"""What a swap of branches costs beside loading a whole model. Prints; asserts no times."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest
import torch

from adabldm.branches.card import WEIGHTS
from adabldm.pipeline import AdaBLDMPipeline
from cluster.models.catalog import open_branches
from cluster.models.kinds import inspect_model
from cluster.models.loading import Backends
from tests.support.branches import write_branch

ROUNDS = 9
KINDS = {"full": None, "low-rank 8": 8}


def milliseconds(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return 1000 * (time.perf_counter() - began)


def control_weights(backends: Backends, model: tuple[str, ...]) -> torch.Tensor:
    """All of the control branch's, as the worker would use them for ``model``."""
    pipeline = cast(AdaBLDMPipeline, backends.get(*model))
    return torch.cat([one.flatten() for one in pipeline.controlnet.parameters()])


def test_a_swap_against_loading_the_whole_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Control branches of the embedded model; a cold one is read from its files and checked, a hot
    one is in memory. Rounds take turns; medians."""
    facts = inspect_model("embedded")
    base = facts.uri, facts.fingerprint
    pipeline = cast(AdaBLDMPipeline, Backends("cpu").get(*base))
    sizes = {}
    for name, rank in KINDS.items():
        for seed in (1, 2):
            folder = tmp_path / name / str(seed)
            write_branch(folder, pipeline, seed, rank=rank, base_fingerprint=facts.fingerprint)
        sizes[name] = (folder / WEIGHTS).stat().st_size / 1e6
    found = open_branches([], str(tmp_path), facts)
    asked = {alias: (*base, one.place.uri, one.card.fingerprint) for alias, one in found.items()}
    whole: list[float] = []
    cold: dict[str, list[float]] = {name: [] for name in KINDS}
    hot: dict[str, list[float]] = {name: [] for name in KINDS}
    for _ in range(ROUNDS):
        backends = Backends("cpu")
        whole.append(milliseconds(lambda backends=backends: backends.get(*base)))
        loaded = control_weights(backends, base)
        for name in KINDS:
            first, second = asked[f"{name}/1"], asked[f"{name}/2"]
            cold[name].append(milliseconds(lambda b=backends, a=first: b.get(*a)))
            came = control_weights(backends, first)
            backends.get(*second)
            hot[name].append(milliseconds(lambda b=backends, a=first: b.get(*a)))
            assert torch.equal(control_weights(backends, first), came)
            assert not torch.equal(control_weights(backends, second), came)
            assert not torch.equal(came, loaded)
            assert torch.equal(control_weights(backends, base), loaded)
    loading = statistics.median(whole)
    with capsys.disabled():
        print(f"\nembedded model: loaded whole in {loading:.0f} ms (files in the page cache)")
        for name in KINDS:
            print(f"  branch, {name} ({sizes[name]:.1f} MB):")
            for kind, times in (("cold", cold[name]), ("hot", hot[name])):
                swap = statistics.median(times)
                print(f"    {kind} {swap:.2f} ms, {loading / swap:.0f} times faster")
