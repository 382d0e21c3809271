"""A job knows that the head of its Ray is gone before Ray ends it."""

from __future__ import annotations

import socket
import time
from contextlib import closing

import pytest

from cluster.launch import head as module
from cluster.launch.head import Head


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
def test_a_head_that_does_not_answer_is_lost_after_a_while_and_not_at_once(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(module, "AWAY_SECONDS", 0.8)
    family = socket.AF_INET6 if host.startswith("[") else socket.AF_INET
    try:
        server = socket.create_server((host.strip("[]"), 0), family=family)
    except OSError:
        pytest.skip("this machine has no such address")
    with closing(Head(f"{host}:{server.getsockname()[1]}")) as head:
        time.sleep(1.2)
        assert not head.is_lost
        server.close()
        assert not head.is_lost
        deadline = time.monotonic() + 10
        while not head.is_lost:
            assert time.monotonic() < deadline
            time.sleep(0.05)
