"""Workers that ask for GPUs are told of a machine without one, and a job's wait is no riddle."""

from __future__ import annotations

import pytest

from adabldm.core.faults import InputFault
from cluster.launch.session import tell_of_no_gpu


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
