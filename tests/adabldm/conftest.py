from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
import torch


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """As on a worker: the number of threads decides last bits."""
    torch.set_num_threads(1)
