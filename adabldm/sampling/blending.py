"""What keeps the background: the good images of a batch, and editing of latents and images
(paper, section III-C, equations 5 and 6)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

Watch = Callable[[str, int, torch.Tensor], None]
"""Called as ``watch(quantity, step, tensor)`` with intermediate results."""


def unwatched(quantity: str, step: int, value: torch.Tensor) -> None:
    """The :data:`Watch` that watches nothing."""
    del quantity, step, value


@dataclass(frozen=True, kw_only=True)
class GoodImages:
    """A batch's good images and where they are kept: ``images`` (N, 3, H, W) in [-1, 1], their
    ``latents`` (N, C, h, w), ``pixel_keep`` (N, 1, H, W) and ``latent_keep`` (N, 1, h, w) of 1 =
    keep and 0. ``start`` are the latents (N, C, h, w) that a drawing starts from; None: noise."""

    images: torch.Tensor
    latents: torch.Tensor
    pixel_keep: torch.Tensor
    latent_keep: torch.Tensor
    start: torch.Tensor | None = None

    def part(self, chosen: slice) -> GoodImages:
        """Some of the batch, as a batch."""
        return GoodImages(
            images=self.images[chosen],
            latents=self.latents[chosen],
            pixel_keep=self.pixel_keep[chosen],
            latent_keep=self.latent_keep[chosen],
            start=None if self.start is None else self.start[chosen],
        )

    def each(self) -> list[GoodImages]:
        """Batches of one."""
        return [self.part(slice(i, i + 1)) for i in range(len(self.images))]


def edit_latents(
    z: torch.Tensor, z_good: torch.Tensor, keep: torch.Tensor
) -> torch.Tensor:  # equation 5
    """Latent editing: z <- m q(z_ok, t) + (1 - m) z, with ``z_good`` already noised to t."""
    return z_good * keep + (1 - keep) * z


def edit_images(
    decoded: torch.Tensor, good: torch.Tensor, keep: torch.Tensor
) -> torch.Tensor:  # equation 6
    """Image editing: the good image outside the defect, the decoded x0_hat inside."""
    return good * keep + decoded * (1 - keep)
