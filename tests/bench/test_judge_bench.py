"""``pytest tests/bench/test_judge_bench.py -s``: what the judge says of pairs that are known."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from adabldm.core import trimap
from adabldm.core.picture_uri import DatasetFault
from adabldm.data.opening import open_dataset
from adabldm.judging.verdict import Judge, Verdict
from adabldm.loading import open_base
from adabldm.networks.embedded import embedded_path
from tests.bench.judge_controls import controls

FIGURES = ("coverage", "agreement", "cl_dice", "seam", "defect_change")
KINDS = ("real", "third", "nothing", "reconstructed", "redrawn")


@pytest.mark.shared
@pytest.mark.slow
@pytest.mark.parametrize("side", ["few", "held_out"])
def test_the_verdicts_on_pairs_that_are_known(shared: Path, side: str) -> None:
    pipeline = open_base(str(embedded_path()))
    found: dict[str, list[Verdict]] = defaultdict(list)
    for root in sorted((shared / "data").iterdir()):
        try:
            folders = open_dataset(str(root), tell=lambda _: None)
        except DatasetFault as fault:
            print(f"{root.name}: {str(fault).splitlines()[0]}")
            continue
        for folder in folders:
            few = side == "few"
            items = folder.defects if few else folder.held_out
            goods = folder.good if few else folder.test_good or folder.good
            own: dict[str, list[Verdict]] = defaultdict(list)
            for one in controls(folder, items, goods, pipeline):
                judged = Judge(one.good, trimap.compose(one.asked))
                for name, image in one.images.items():
                    own[name].append(judged(image))
            accepted = [
                f"{kind} {sum(v.reason is None for v in own[kind])}/{len(own[kind])}"
                for kind in KINDS
            ]
            print(f"{root.name}/{folder.name} ({side}):", ", ".join(accepted), flush=True)
            for kind, verdicts in own.items():
                found[kind] += verdicts
    assert set(KINDS) <= set(found)
    for kind in KINDS:
        print(f"{side} {kind}: {np.mean([v.reason is None for v in found[kind]]):.1%} accepted")
        for name in FIGURES:
            values = [v.figures[name] for v in found[kind] if name in v.figures]
            print(f"    {name} ({len(values)})", np.quantile(values, [0.05, 0.1, 0.5, 1]).round(2))
