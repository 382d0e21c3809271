"""No Ray is joined with its doors open unless that was said."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from adabldm.core.faults import InputFault
from cluster.launch import session


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """A cluster to join, an empty home, and nothing said about tokens."""
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    monkeypatch.setattr(session, "TOKEN_FILE", tmp_path / "token")
    return monkeypatch


def test_a_cluster_without_a_token_is_refused_by_name(alone: pytest.MonkeyPatch) -> None:
    refused = pytest.raises(InputFault, match=r"RAY_ADDRESS: '10\.0\.0\.1:6379': there is no token")
    with refused, session.ray_session(1, 0):
        pass
    assert "RAY_AUTH_MODE" not in os.environ


def test_it_is_joined_where_that_was_said_or_a_token_is_there(
    alone: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    alone.setenv("RAY_AUTH_MODE", "disabled")
    session._guard_doors(joins=True)
    assert os.environ["RAY_AUTH_MODE"] == "disabled"
    alone.delenv("RAY_AUTH_MODE")
    (tmp_path / "token").write_text("secret")
    session._guard_doors(joins=True)
    assert os.environ["RAY_AUTH_MODE"] == "token"
