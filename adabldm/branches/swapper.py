"""Many branches on one base: the hot ones stay in memory, and a swap moves pointers only; where
compiled networks hold the weights' addresses, it copies on the device."""

from __future__ import annotations

from typing import Any

import torch

from adabldm.branches.card import BranchFault
from adabldm.branches.files import Branch, pipeline_weights
from adabldm.core.byte_cache import ByteCache
from adabldm.core.devices import is_compiled

HOT_BYTES = 2 << 30
"""Memory for hot branches. At Stable Diffusion's size a control branch is 0.7 GB in half precision,
1.4 GB in single."""


class Swapper:
    """Puts branches in place of the base's weights in ``pipeline``, one at a time.

    The weights of the branches used last stay on the pipeline's device, whole and in its type, up
    to ``hot_bytes``; the one in use stays in any case. The base's own are kept, so they come back
    bit by bit. The pipeline must be on its device, in its type, and compiled if it is to be, before
    this is made.
    """

    def __init__(self, pipeline: Any, hot_bytes: int = HOT_BYTES) -> None:
        self._pipeline = pipeline
        self._image_size: int = pipeline.image_size
        self._parameters = pipeline_weights(pipeline)
        self._base = {name: one.data for name, one in self._parameters.items()}
        self._held = {
            name
            for name in self._parameters
            if is_compiled(getattr(pipeline, name.partition(".")[0]))
        }
        """Names of the weights whose addresses must stay."""
        self._replaced: list[str] = []
        self._hot: ByteCache[str, dict[str, torch.Tensor]] = ByteCache(hot_bytes, _nbytes)

    @property
    def hot(self) -> list[str]:
        """Fingerprints of the branches in memory, the one used last at the end."""
        return list(self._hot)

    @property
    def nbytes(self) -> int:
        """Bytes that the branches in memory take."""
        return int(self._hot.currsize)

    def use(self, branch: Branch | None) -> None:
        """Put ``branch`` in place, or with None the base.

        Raises :class:`BranchFault` for a branch of another image size, or with a weight that the
        base does not have or has in another shape; the base is in place then.
        """
        if branch is None:
            self._put_back()
        elif not self.use_hot(branch.card.fingerprint):
            self._put_back()
            self._heat(branch)
            self.use_hot(branch.card.fingerprint)

    def use_hot(self, fingerprint: str) -> bool:
        """Put the branch of this fingerprint in place if it is in memory; whether it is."""
        weights = self._hot.pop(fingerprint, None)
        if weights is None:
            return False
        self._hot[fingerprint] = weights
        self._put_back()
        for name, weight in weights.items():
            self._put(name, weight)
        self._replaced = list(weights)
        self._pipeline.reads_every_word = True
        return True

    def _put_back(self) -> None:
        for name in self._replaced:
            self._put(name, self._base[name])
        self._replaced = []
        self._pipeline.reads_every_word = False

    def _put(self, name: str, weight: torch.Tensor) -> None:
        parameter = self._parameters[name]
        if name not in self._held:
            parameter.data = weight
            return
        if self._base[name].data_ptr() == parameter.data_ptr():  # about to be written to
            self._base[name] = parameter.data.clone()
        parameter.data.copy_(weight)

    def _heat(self, branch: Branch) -> None:
        """Bring the branch's weights to memory, after making room."""
        size = branch.card.image_size
        if size != self._image_size:
            raise BranchFault("image_size", size, f"the base's is {self._image_size}")
        names = branch.names
        for name in names:
            if name not in self._base:
                raise BranchFault("weights", name, "is no weight of the base's")
        self._hot.make_room(_nbytes({name: self._base[name] for name in names}))
        weights = {name: branch.weight(name, self._base[name]) for name in names}
        self._hot[branch.card.fingerprint] = weights


def _nbytes(weights: dict[str, torch.Tensor]) -> int:
    return sum(weight.numel() * weight.element_size() for weight in weights.values())
