"""Workers that ask for GPUs are told of a machine without one, and a job's wait is no riddle."""

from __future__ import annotations

import pytest

from adabldm.core.faults import InputFault, JobFault
from cluster.launch import session
from cluster.launch.session import ray_session, tell_of_no_gpu


def test_a_machine_without_a_gpu_is_refused() -> None:
    with pytest.raises(InputFault, match=r"--gpus-per-worker: 1: this machine has no GPU"):
        tell_of_no_gpu(1, joins=False)


def test_a_cluster_without_a_gpu_is_waited_for_and_that_is_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    tell_of_no_gpu(0.5, joins=True)
    assert capsys.readouterr().err == (
        "waiting for a node with a GPU: the cluster has none "
        "(--gpus-per-worker is 0.5; 0 runs on the CPU)\n"
    )


def test_a_machine_alone_without_one_is_refused_before_ray_is_started(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However busy the machine is, and whether Ray would start or not."""
    import ray

    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setattr(session, "_guard_doors", lambda _: None)
    monkeypatch.setattr(ray, "is_initialized", lambda: False)

    def started(*_: object, **__: object) -> None:
        raise TimeoutError("The current node timed out during startup")

    ended: list[None] = []
    monkeypatch.setattr(ray, "init", started)
    monkeypatch.setattr(ray, "shutdown", lambda: ended.append(None))  # else the tests' own Ray ends
    with pytest.raises(InputFault, match="this machine has no GPU"), ray_session(1, 1.0):
        pass
    with pytest.raises(JobFault, match="timed out"), ray_session(1, 0):
        pass
    assert ended
