"""The files for KubeRay are ones that its operator takes, and they keep their promises."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import ValidationError, validate

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "cluster/kuberay"
KINDS = {"RayJob": "rayjob", "RayCluster": "raycluster"}


def read(name: str) -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((FOLDER / f"{name}.yaml").read_text())
    return read


def closed(schema: Any) -> Any:
    """The schema as Kubernetes applies it: fields that it does not name are refused."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: closed(value) for name, value in schema.items()}
    if isinstance(made.get("properties"), dict) and "additionalProperties" not in made:
        made["additionalProperties"] = bool(made.get("x-kubernetes-preserve-unknown-fields"))
    return made


def schema_of(shared: Path, kind: str) -> Any:
    definition = yaml.safe_load((shared / f"kuberay-crds/ray.io_{KINDS[kind]}s.yaml").read_text())
    (version,) = (one for one in definition["spec"]["versions"] if one["name"] == "v1")
    return closed(version["schema"]["openAPIV3Schema"]["properties"]["spec"])


def groups(spec: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield spec["headGroupSpec"]
    yield from spec["workerGroupSpecs"]


@pytest.fixture
def job() -> dict[str, Any]:
    return read("rayjob")


@pytest.mark.parametrize("kind", KINDS)
def test_the_operators_schema_takes_the_file_and_no_misspelt_field(kind: str, shared: Path) -> None:
    spec, schema = read(KINDS[kind])["spec"], schema_of(shared, kind)
    validate(spec, schema)
    wrong = copy.deepcopy(spec)
    cluster = wrong.get("rayClusterSpec", wrong)
    cluster["workerGroupSpecs"][0]["template"]["spec"]["containers"][0]["imagee"] = "x"
    with pytest.raises(ValidationError, match="imagee"):
        validate(wrong, schema)


def test_a_cluster_that_stays_is_the_jobs_own(job: dict[str, Any]) -> None:
    assert read("raycluster")["spec"] == job["spec"]["rayClusterSpec"]


def test_a_job_is_tried_again_ends_and_leaves_nothing(job: dict[str, Any]) -> None:
    spec = job["spec"]
    assert spec["backoffLimit"] > 0
    assert 0 < spec["preRunningDeadlineSeconds"] < spec["activeDeadlineSeconds"]
    assert spec["shutdownAfterJobFinishes"]
    assert spec["ttlSecondsAfterFinished"] > 0
    assert "kueue.x-k8s.io/queue-name" in job["metadata"]["labels"]


def test_the_head_runs_no_work_and_gpus_come_from_zero_spot_first(job: dict[str, Any]) -> None:
    cluster = job["spec"]["rayClusterSpec"]
    assert cluster["enableInTreeAutoscaling"]
    head = cluster["headGroupSpec"]["rayStartParams"]
    assert head["num-cpus"] == head["num-gpus"] == "0"
    spot, other = cluster["workerGroupSpecs"]
    assert spot["priority"] > other["priority"]
    for group in (spot, other):
        assert group["minReplicas"] == 0 < group["maxReplicas"]
        (container,) = group["template"]["spec"]["containers"]
        assert container["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert "spot" in spot["template"]["spec"]["nodeSelector"].values()
    assert "spot" not in other["template"]["spec"]["nodeSelector"].values()


def test_strangers_are_kept_out(job: dict[str, Any]) -> None:
    cluster = job["spec"]["rayClusterSpec"]
    assert cluster["authOptions"] == {"mode": "token"}
    _, policy = yaml.safe_load_all((FOLDER / "access.yaml").read_text())
    (ours,) = policy["spec"]["podSelector"]["matchLabels"].items()
    ports = {port["port"] for rule in policy["spec"]["ingress"] for port in rule.get("ports", [])}
    assert ports == {8265, 8080}
    for group in groups(cluster):
        assert ours in group["template"]["metadata"]["labels"].items()
        pod = group["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"]
        for container in pod["containers"]:
            assert not container["securityContext"]["allowPrivilegeEscalation"]
            assert not any("value" in one and "KEY" in one["name"] for one in container["env"])


def test_what_watches_finds_the_ports_and_the_image_is_set_in_one_place() -> None:
    monitor = read("podmonitor")["spec"]
    for name in KINDS.values():
        spec = read(name)["spec"]
        for group in groups(spec.get("rayClusterSpec", spec)):
            assert set(monitor["selector"]["matchLabels"].items()) <= set(
                group["template"]["metadata"]["labels"].items()
            )
            (container,) = group["template"]["spec"]["containers"]
            assert monitor["podMetricsEndpoints"][0]["port"] in {
                port["name"] for port in container["ports"]
            }
            assert container["image"] == read("kustomization")["images"][0]["name"]


def test_the_kustomization_names_what_is_there(job: dict[str, Any]) -> None:
    kustomization = read("kustomization")
    for name in [*kustomization["resources"], *kustomization["configurations"]]:
        assert (FOLDER / name).is_file()
    (patch,) = kustomization["patches"]
    assert patch["target"] == {"kind": job["kind"], "name": job["metadata"]["name"]}
    for change in yaml.safe_load(patch["patch"]):
        at: Any = job
        for part in change["path"].strip("/").split("/"):
            at = at[int(part)] if isinstance(at, list) else at[part]
    paths = {(one["kind"], one["path"]) for one in read("image-fields")["images"]}
    for kind, path in paths:
        assert re.fullmatch(r"spec/.*containers/image", path)
        assert kind in KINDS
    assert len(paths) == 4


def test_the_image_holds_the_versions_that_are_tested(job: dict[str, Any]) -> None:
    text = (FOLDER / "Dockerfile").read_text()
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    tested = dict(line.split("==") for line in lines if "==" in line)
    assert re.findall(r"rayproject/ray:([0-9.]+)-py311-gpu", text) == [tested["ray"]]
    assert job["spec"]["rayClusterSpec"]["rayVersion"] == tested["ray"]
    assert dict(re.findall(r"\b([a-z]+)==([0-9.]+)", text)) == {"hatchling": tested["hatchling"]}
    for folder in re.findall(r"^COPY --chown=ray:users (\w+) ", text, re.MULTILINE):
        assert (ROOT / folder).is_dir()
