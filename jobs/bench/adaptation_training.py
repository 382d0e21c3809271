"""Decoders trained on one case: all of one or its last up-block, on the whole picture or on the
crop around the mask, by AdamW or by Muon."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import AutoencoderKL
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from adabldm.sampling.decoder_adaptation import adaptation_loss, adaptation_terms
from adabldm.training.muon import Muon

RATE, LAST_BLOCK_RATE, MUON_RATE = 1e-4, 1e-3, 1e-2
WEIGHT = 100.0
MARGIN = 16
"""Pixels of background around the mask in a crop."""
RECEPTIVE = 8
"""Pixels beyond which a last up-block of three residual blocks and the output convolution see
nothing; as many more are computed around a crop and thrown away."""


@dataclass(frozen=True, kw_only=True)
class AdaptationCase:
    """One request after sampling: ``latents`` (1, C, h, w) as the decoder gets them; ``before``
    D(z) and ``good`` (1, 3, H, W); ``keep`` (1, 1, H, W)."""

    latents: torch.Tensor
    before: torch.Tensor
    good: torch.Tensor
    keep: torch.Tensor

    def terms(self, image: torch.Tensor) -> tuple[float, float]:
        """Equation 9's two terms of ``image`` (1, 3, H, W), the background's weighted."""
        defect, background = adaptation_terms(image, self.before, self.good, self.keep)
        return float(defect), WEIGHT * float(background)


@dataclass(frozen=True, kw_only=True)
class AdaptationResult:
    """A variant's ``image`` (1, 3, H, W) and the GFLOP of convolutions and matrix products that it
    took; ``family`` groups the points of one curve. ``course`` holds
    :meth:`AdaptationCase.terms` before each training step that led here, and now."""

    family: str
    name: str
    image: torch.Tensor
    gflop: float
    course: tuple[tuple[float, float], ...] = ()


Optimizers = Sequence[torch.optim.Optimizer]


def adamw(part: nn.Module, rate: float) -> Optimizers:
    return [torch.optim.AdamW(part.parameters(), lr=rate)]


def muon(part: nn.Module, rate: float) -> Optimizers:
    """Steps of one size in every direction of a matrix: a better conditioned optimiser."""
    matrices = [one for one in part.parameters() if one.ndim > 1]
    vectors = [one for one in part.parameters() if one.ndim == 1]
    return [
        Muon(matrices, lr=rate, weight_decay=0.0),
        torch.optim.AdamW(vectors, lr=LAST_BLOCK_RATE),
    ]


@dataclass(frozen=True, kw_only=True)
class DecoderTraining:
    """A way to train: ``last`` the last up-block alone, ``crop`` around the mask alone; the image
    is taken after each of ``when`` steps."""

    family: str
    when: tuple[int, ...]
    rate: float
    last: bool = False
    crop: bool = False
    optimizers: Callable[[nn.Module, float], Optimizers] = adamw


class FixedNorm(nn.Module):
    """A group normalisation by the statistics of ``seen`` (1, C, H, W), whatever it is given: what
    a crop needs to be normalised as in the picture that it is from."""

    mean: torch.Tensor
    scale: torch.Tensor

    def __init__(self, norm: nn.GroupNorm, seen: torch.Tensor) -> None:
        super().__init__()
        groups = seen.reshape(norm.num_groups, -1)
        var, mean = torch.var_mean(groups, dim=1, correction=0)
        each = seen.shape[1] // norm.num_groups
        self.weight, self.bias = norm.weight, norm.bias
        self.register_buffer("mean", mean.repeat_interleave(each)[:, None, None])
        self.register_buffer(
            "scale", (var + norm.eps).rsqrt().repeat_interleave(each)[:, None, None]
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x - self.mean) * self.scale * self.weight[:, None, None] + self.bias[:, None, None]


@torch.no_grad()
def fix_norms(part: nn.Module, features: torch.Tensor) -> None:
    """Give every group normalisation of ``part`` the statistics that it has on ``features``."""
    seen: dict[str, torch.Tensor] = {}
    norms = [(name, one) for name, one in part.named_modules() if isinstance(one, nn.GroupNorm)]
    handles = [
        one.register_forward_pre_hook(lambda _, x, name=name: seen.update({name: x[0]}))
        for name, one in norms
    ]
    part(features)
    for handle in handles:
        handle.remove()
    for name, norm in norms:
        parent, _, own = name.rpartition(".")
        setattr(part.get_submodule(parent), own, FixedNorm(norm, seen[name]))


def split_decoder(
    decoder: Any, last: bool
) -> tuple[Callable[[torch.Tensor], torch.Tensor], nn.Module]:
    """What comes before the trained part, and the trained part."""
    if not last:
        return nn.Identity(), decoder
    part = nn.Sequential(
        decoder.up_blocks[-1], decoder.conv_norm_out, decoder.conv_act, decoder.conv_out
    )

    def before(z: torch.Tensor) -> torch.Tensor:
        h = decoder.mid_block(decoder.conv_in(z))
        for block in decoder.up_blocks[:-1]:
            h = block(h)
        return h

    return before, part


def adapted_decoder(vae: AutoencoderKL, cases: Sequence[AdaptationCase], steps: int) -> nn.Module:
    """A decoder as ``exact`` adapts it, but to many cases, by turns."""
    decoder = copy.deepcopy(vae.decoder).requires_grad_(True)
    updates = adamw(decoder, RATE)
    with torch.enable_grad():
        for step in range(steps):
            case = cases[step % len(cases)]
            _step(decoder, case.latents, case, updates)
    return decoder


def trained(
    vae: AutoencoderKL, case: AdaptationCase, way: DecoderTraining, start: nn.Module | None = None
) -> Iterator[AdaptationResult]:
    """Train a copy of the decoder, or its last up-block, on one case; yields the image after each
    of ``way.when`` steps.

    The copy is of the model's decoder, or of ``start``. The features before the trained part are
    computed once and not counted: D(z) has to be decoded anyway. With a crop, the image outside it
    is the good one.
    """
    before, part = split_decoder(copy.deepcopy(start or vae.decoder), way.last)
    with torch.no_grad():
        features = before(case.latents)
    shown, crop = case, None
    if way.crop:
        fix_norms(part, features)
        crop = around(case.keep)
        features, shown = features[crop.outer], crop.of(case)
    part.requires_grad_(True)
    updates = way.optimizers(part, way.rate)

    def placed(image: torch.Tensor) -> torch.Tensor:
        return image if crop is None else crop.put(image, case)

    each, course = 0.0, []
    for step in range(1, max(way.when) + 1):
        with (
            torch.enable_grad(),
            FlopCounterMode(display=False) if step == 1 else nullcontext() as counter,
        ):
            image = _step(part, features, shown, updates)
        if counter is not None:
            each = counter.get_total_flops() / 1e9
        course.append(case.terms(placed(image)))
        if step in way.when:
            with torch.no_grad():
                made = placed(part(features))
            yield AdaptationResult(
                family=way.family,
                name=f"{way.family} {step}",
                image=made,
                gflop=each * (step + 1 / 3),
                course=(*course, case.terms(made)),
            )


def _step(
    part: nn.Module, features: torch.Tensor, case: AdaptationCase, updates: Optimizers
) -> torch.Tensor:
    """Make one; returns the image before it."""
    image = part(features)
    loss = adaptation_loss(image, case.before, case.good, case.keep, WEIGHT)
    part.zero_grad(set_to_none=True)
    loss.backward()
    for one in updates:
        one.step()
    return image.detach()


Box = tuple[slice, ...]


@dataclass(frozen=True, kw_only=True)
class Crop:
    """The part of a picture (1, C, H, W) around its mask, as indices: ``outer`` into the picture is
    what a decoder computes; ``inner`` into the picture is what is used of that, and ``inside`` is
    the same pixels as indices into what was computed."""

    outer: Box
    inner: Box
    inside: Box

    def of(self, case: AdaptationCase) -> AdaptationCase:
        return AdaptationCase(
            latents=case.latents,
            before=case.before[self.outer],
            good=case.good[self.outer],
            keep=case.keep[self.outer],
        )

    def put(self, image: torch.Tensor, case: AdaptationCase) -> torch.Tensor:
        result = case.good.clone()
        result[self.inner] = image[self.inside]
        return result


def around(keep: torch.Tensor) -> Crop:
    """The crop around the mask in ``keep`` (1, 1, H, W)."""
    rows, columns = (keep[0, 0] == 0).nonzero(as_tuple=True)
    inner, outer, inside = [], [], []
    for places, size in zip((rows, columns), keep.shape[-2:], strict=True):
        low, high = int(places.min()) - MARGIN, int(places.max()) + 1 + MARGIN
        first, last = max(0, low), min(size, high)
        begin, end = max(0, low - RECEPTIVE), min(size, high + RECEPTIVE)
        inner.append(slice(first, last))
        outer.append(slice(begin, end))
        inside.append(slice(first - begin, last - begin))
    whole = slice(None), slice(None)
    return Crop(outer=(*whole, *outer), inner=(*whole, *inner), inside=(*whole, *inside))
