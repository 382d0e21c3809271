"""The cluster file is one that Ray's launcher takes, and it keeps its promises."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from jsonschema import ValidationError
from moto.server import ThreadedMotoServer
from ray.autoscaler._private.aws import config as aws_config
from ray.autoscaler._private.aws import utils as aws_utils
from ray.autoscaler._private.aws.node_provider import AWSNodeProvider
from ray.autoscaler._private.util import prepare_config, validate_config
from ray.autoscaler.tags import TAG_RAY_NODE_KIND
from ray.autoscaler.v2.instance_manager.config import AutoscalingConfig
from ray.autoscaler.v2.scheduler import ResourceDemandScheduler, SchedulingRequest
from ray.autoscaler.v2.utils import ResourceRequestUtil

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "ray_config.yaml").read_text()


@pytest.fixture
def config() -> dict[str, Any]:
    prepared: dict[str, Any] = prepare_config(yaml.safe_load(TEXT))
    return prepared


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """AWS on this machine, and a home of its own for the key that the launcher makes."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    monkeypatch.setenv("HOME", str(tmp_path))
    caches = (aws_utils.resource_cache, aws_utils.client_cache)
    for cache in caches:
        cache.cache_clear()
    yield
    for cache in caches:
        cache.cache_clear()
    server.stop()


def test_ray_accepts_the_file(config: dict[str, Any]) -> None:
    validate_config(config)
    with pytest.raises(ValidationError, match="many"):
        validate_config(config | {"max_workers": "many"})


def test_the_head_runs_no_work_and_gpus_start_from_zero(config: dict[str, Any]) -> None:
    head = config["available_node_types"][config["head_node_type"]]
    assert head["resources"]["CPU"] == head["resources"]["GPU"] == 0
    for kind in ("gpu_spot", "gpu_on_demand"):
        gpu = config["available_node_types"][kind]
        assert gpu["resources"]["GPU"] == 1
        assert gpu["min_workers"] == 0 < gpu["max_workers"] <= config["max_workers"]
    assert "InstanceMarketOptions" not in head["node_config"]
    assert 0 < config["idle_timeout_minutes"] <= 10


@pytest.mark.parametrize(
    ("availability", "launched"),
    [({}, {"gpu_spot": 3}), ({"gpu_spot": 0.0}, {"gpu_on_demand": 3})],
)
def test_workers_are_spot_and_on_demand_where_none_is_to_be_had(
    config: dict[str, Any], availability: dict[str, float], launched: dict[str, int]
) -> None:
    read = AutoscalingConfig(config, skip_content_hash=True)
    request = ResourceRequestUtil.make({"GPU": 1})
    reply = ResourceDemandScheduler().schedule(
        SchedulingRequest(
            disable_launch_config_check=True,
            node_type_configs=read.get_node_type_configs(),
            max_num_nodes=config["max_workers"],
            resource_requests=ResourceRequestUtil.group_by_count([request] * 3),
            recoverable_resource_availabilities=availability,
        )
    )
    found = {one.instance_type: one.count for one in reply.to_launch}
    assert {name: count for name, count in found.items() if name != "head"} == launched


def test_nobody_starts_a_job_without_the_token(config: dict[str, Any]) -> None:
    assert "--env RAY_AUTH_MODE=token" in config["docker"]["run_options"]
    assert "/home/ray/.ray/auth_token" in config["file_mounts"]
    (start,) = [c for c in config["head_start_ray_commands"] if "ray start" in c]
    assert "--dashboard-host=127.0.0.1" in start
    assert "IpPermissions" not in config["provider"]["security_group"]


def test_every_version_is_the_one_that_is_tested() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    tested = dict(line.split("==") for line in lines if "==" in line)
    pinned = dict(re.findall(r"\b([a-z][a-z0-9_-]*)==([0-9.]+)", TEXT))
    images = re.findall(r"rayproject/ray:([0-9.]+)-", TEXT)
    assert pinned
    assert set(images) == {tested["ray"]}
    assert pinned == {name: tested.get(name) for name in pinned}
    installs = re.findall(r"pip install.*", TEXT.replace("\n    ", " "))
    assert installs
    assert all("--constraint" in line or "==" in line for line in installs)


def test_the_container_has_the_python_that_is_tested() -> None:
    minor = re.search(r'python_version = "3\.(\d+)"', (ROOT / "pyproject.toml").read_text())
    assert minor
    assert set(re.findall(r"-py3(\d+)-", TEXT)) == {minor[1]}


def test_amazon_takes_the_nodes(config: dict[str, Any], aws: None) -> None:
    iam = boto3.client("iam", region_name="us-west-2")
    for kind in ("head", "worker"):
        iam.create_instance_profile(InstanceProfileName=f"adabldm-{kind}")
    ready = aws_config.bootstrap_aws(config)
    provider = AWSNodeProvider(ready["provider"], ready["cluster_name"])
    for kind in ("head", "gpu_spot", "gpu_on_demand"):
        node = ready["available_node_types"][kind]["node_config"]
        made = provider.create_node(node, {TAG_RAY_NODE_KIND: kind}, 1)
        (instance,) = made.values()
        assert instance.instance_type == node["InstanceType"]
        assert instance.instance_lifecycle == ("spot" if kind == "gpu_spot" else None)
        assert {group["GroupName"] for group in instance.security_groups} == {"adabldm"}
    groups = aws_utils.resource_cache("ec2", "us-west-2").security_groups
    (group,) = groups.filter(Filters=[{"Name": "group-name", "Values": ["adabldm"]}])
    open_ports = [
        (rule["FromPort"], rule["ToPort"]) for rule in group.ip_permissions if rule["IpRanges"]
    ]
    assert open_ports == [(22, 22)]
