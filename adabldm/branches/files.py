"""Branches on disk: a folder with the weights that were trained, and a card that says of what."""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from adabldm.branches import low_rank
from adabldm.branches.card import CARD, TRIMAP_VALUES, WEIGHTS, BranchCard, BranchFault
from adabldm.branches.low_rank import STORED

MODULES = ("controlnet", "unet")
"""The pipeline's modules that a branch may have weights of; ``controlnet.<parameter>`` is one."""


@dataclass(frozen=True)
class Branch:
    """A branch in memory: its card and, as they are stored, its weights on the CPU."""

    card: BranchCard
    parts: Mapping[str, torch.Tensor]

    @property
    def names(self) -> list[str]:
        """Names of the weights that it changes. Raises :class:`BranchFault`."""
        if self.card.form == "full":
            return sorted(self.parts)
        return low_rank.changed_names(self.parts)

    def weight(self, name: str, base: torch.Tensor) -> torch.Tensor:
        """The weight in place of ``base``: of its shape, type and memory layout, on its device.

        Raises :class:`BranchFault` for a weight of another shape.
        """
        if self.card.form == "full":
            value = self.parts[name]
            if value.shape != base.shape:
                rule = f"must be of the base's shape, {tuple(base.shape)}"
                raise BranchFault(name, tuple(value.shape), rule)
        else:
            value = low_rank.changed(name, self.parts, base)
        # torch's own memory is aligned; a file's is not, see adabldm.core.devices.align
        return torch.empty_like(base).copy_(value)


def pipeline_weights(pipeline: Any) -> dict[str, torch.nn.Parameter]:
    """The parameters of ``pipeline`` that a branch may replace, by a branch's names for them."""
    return {
        f"{module}.{name}": parameter
        for module in MODULES
        for name, parameter in getattr(pipeline, module).named_parameters()
    }


def save_branch(
    folder: Path,
    trained: Mapping[str, torch.Tensor],
    base: Mapping[str, torch.Tensor],
    *,
    rank: int | None,
    base_fingerprint: str,
    objects: Sequence[str],
    defects: Sequence[str],
    image_size: int,
    surface: Mapping[str, str],
    prompts: Sequence[str],
    split_sha256: str,
    training: Mapping[str, Any],
) -> BranchCard:
    """Write the branch whose weights are ``trained``, in half precision, and return its card.

    ``trained`` and ``base`` are named as :func:`pipeline_weights` has it; ``base`` may have more.
    ``rank`` None keeps the weights themselves, else their difference to the base's as factors of
    that rank (:func:`adabldm.branches.low_rank.factors`). The other arguments are the card's
    (:class:`BranchCard`). The card is written last: a folder that has one is whole.

    Raises :class:`BranchFault`, with nothing written, for weights that the base does not have, of
    another shape, or not finite in half precision.
    """
    parts: dict[str, torch.Tensor] = {}
    for name, weight in sorted(trained.items()):
        if name.partition(".")[0] not in MODULES or name not in base:
            raise BranchFault("trained", name, f"must be the base's, in {' or '.join(MODULES)}")
        if weight.shape != base[name].shape:
            rule = f"must be of the base's shape, {tuple(base[name].shape)}"
            raise BranchFault(name, tuple(weight.shape), rule)
        value = weight.detach().float().cpu()
        if rank is None:
            parts[name] = value.to(STORED)
        else:
            parts |= low_rank.factors(name, value - base[name].detach().float().cpu(), rank)
    for name, part in parts.items():
        if not part.isfinite().all():
            raise BranchFault("trained", name, "must be finite in half precision")
    if not parts:
        raise BranchFault("trained", [], "must hold a weight")
    data = save({name: part.contiguous() for name, part in parts.items()})
    card = BranchCard(
        base_fingerprint=base_fingerprint,
        form="full" if rank is None else "low-rank",
        rank=rank,
        objects=tuple(objects),
        defects=tuple(defects),
        image_size=image_size,
        surface=dict(surface),
        prompts=tuple(prompts),
        split_sha256=split_sha256,
        training=dict(training),
        weights_sha256=hashlib.sha256(data).hexdigest(),
        trimap_values=TRIMAP_VALUES,
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CARD).unlink(missing_ok=True)
    _write_whole(folder / WEIGHTS, data)
    _write_whole(folder / CARD, card.to_json().encode())
    return card


def _write_whole(file: Path, data: bytes) -> None:
    unfinished = file.with_name(f".{uuid.uuid4().hex}")
    try:
        unfinished.write_bytes(data)
        os.replace(unfinished, file)
    finally:
        unfinished.unlink(missing_ok=True)


def load_branch(folder: Path) -> Branch:
    """Read the branch in ``folder``.

    Raises :class:`BranchFault` for a card or weights that are not a branch's, or weights that are
    not those of the card, and ``OSError``.
    """
    card = BranchCard.from_json((folder / CARD).read_bytes())
    data = (folder / WEIGHTS).read_bytes()
    if (found := hashlib.sha256(data).hexdigest()) != card.weights_sha256:
        raise BranchFault("weights_sha256", card.weights_sha256, f"the weights' is {found}")
    try:
        parts = load(data)
    except SafetensorError as error:
        raise BranchFault(WEIGHTS, str(folder), f"is not a safetensors file ({error})") from error
    return Branch(card, parts)
