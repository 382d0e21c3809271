"""A job knows that the node it works from is gone, of which Ray tells it nothing."""

from __future__ import annotations

import time
from threading import Event

from cluster.launch.own_node import OwnNode


def lost_within(node: OwnNode, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not node.is_lost and time.monotonic() < deadline:
        time.sleep(0.02)
    return node.is_lost


def test_a_node_is_lost_once_ray_says_so_and_not_while_nothing_is_said() -> None:
    gone, away = Event(), Event()

    def look() -> bool:
        if away.is_set():
            raise ConnectionError("the head is away")
        return not gone.is_set()

    node = OwnNode(look, every=0.01)
    away.set()
    assert not lost_within(node, 0.3)
    away.clear()
    assert not lost_within(node, 0.3)
    gone.set()
    assert lost_within(node, 10)
