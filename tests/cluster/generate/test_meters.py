"""What a run tells Prometheus, and the dashboard that reads it."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest
import ray
import requests

from tests.conftest import Command
from tests.jobs.verbs.test_generate import finish, words
from tests.support.making import Row, write_manifest

DASHBOARD = Path(__file__).parents[3] / "cluster/launch/grafana/adabldm.json"
SECONDS = 120
ON_GPUS = {"ray_adabldm_gpu_bytes"}
SAMPLE = re.compile(r"(ray_adabldm_\w+)\{([^}]*)\} ([0-9.e+-]+)")


def scraped() -> dict[str, list[tuple[dict[str, str], float]]]:
    """What the node shows, by name: labels and value."""
    port = ray.nodes()[0]["MetricsExportPort"]
    text = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=10).text
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for name, labels, value in SAMPLE.findall(text):
        pairs = dict(re.findall(r'(\w+)="([^"]*)"', labels))
        found.setdefault(name, []).append((pairs, float(value)))
    return found


def queried() -> dict[str, set[str]]:
    """The names that the dashboard's panels ask for, and the labels that each is asked by."""
    found: dict[str, set[str]] = {}
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel["targets"]:
            labels = set(re.findall(r"by \(([^)]*)\)", target["expr"]))
            asked = {label.strip() for some in labels for label in some.split(",")}
            asked |= set(re.findall(r'[{,](\w+)(?:=~|!=|=)"', target["expr"]))
            for name in re.findall(r"ray_adabldm_\w+", target["expr"]):
                found.setdefault(name, set()).update(asked)
    return found


@pytest.mark.ray
def test_a_run_is_counted_and_every_panel_finds_what_it_asks_for(
    start: Command, ray_address: str, tmp_path: Path
) -> None:
    def change(rows: list[Row]) -> None:
        for row in rows[::6]:
            row["prompt"] = "a dull one"
        rows[1]["prompt"] = "a bad one"

    manifest = write_manifest(tmp_path / "in", 12, change)
    model = "sleep://1500?reject=dull&raise=bad"
    more = ("--workers", "1:1", "--batch-size", "1", "--retries", "0")
    process = start(*words(manifest, tmp_path / "out", model, *more), RAY_ADDRESS=ray_address)
    seen: dict[str, list[tuple[dict[str, str], float]]] = {}
    deadline = time.monotonic() + SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        seen |= scraped()
        time.sleep(1)
    code, _, errors = finish(process)
    assert code == 3, errors
    counted = seen["ray_adabldm_requests_total"]
    assert {"ok", "rejected"} <= {labels["status"] for labels, _ in counted}
    assert {labels["status"] for labels, _ in counted} <= {"ok", "rejected", "failed"}
    assert "metal" in {labels["object"] for labels, _ in counted}
    assert 12 in [value for _, value in seen["ray_adabldm_asked"]]
    assert {labels["figure"] for labels, _ in seen["ray_adabldm_judged_bucket"]} >= {"coverage"}
    stages = {labels["stage"] for labels, _ in seen["ray_adabldm_stage_seconds_total"]}
    assert stages >= {"sleep", "store"}
    for name, labels in queried().items():
        if name in ON_GPUS:
            continue
        assert name in seen
        assert labels - {"le"} <= {"SessionName", "WorkerId", *seen[name][0][0]} | {
            label for one, _ in counted for label in one
        } | {"stage", "figure"}


def test_the_dashboard_asks_for_every_metric_there_is() -> None:
    source = (DASHBOARD.parents[2] / "generate/meters.py").read_text()
    told = set(re.findall(r'"adabldm_(\w+)"', source))
    told |= set(re.findall(r'^ +\("(\w+)", "', source, re.MULTILINE))
    names = {re.sub(r"_(total|bucket)$", "", name) for name in queried()}
    assert names == {f"ray_adabldm_{name}" for name in told}


def test_panels_do_not_overlap_and_are_of_one_source() -> None:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    cells = [
        (x, y)
        for panel in panels
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert {panel["datasource"]["uid"] for panel in panels} == {"${datasource}"}
