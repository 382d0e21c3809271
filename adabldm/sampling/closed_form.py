"""Stage 3 of ``fast``: the online adaptation's objective (paper, section III-D, equation 9) solved
for the image itself, in closed form.

The paper fits a copy of the decoder so that D'(z) is the good image on the background and D(z) on
the defect. What the decoder adds to these two terms is that an image it makes has no edge where the
mask has one. Here the image is D(z) + c, and smoothness of the correction c takes that part:

    defect c^2 + w background (D(z) + c - x_ok)^2 + s |grad c|^2  ->  min

a screened Poisson equation (Perez et al., *Poisson image editing*, 2003, with both images weighed
by the paper's loss). On the background c is the decoder's error, less its part finer than
sqrt(s / w) pixels; across the mask's edge it runs out within about sqrt(s) pixels.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import torch
from diffusers import AutoencoderKL

from adabldm.sampling import decoder_adaptation
from adabldm.sampling.blending import GoodImages
from adabldm.sampling.decoder_adaptation import Adapted, adaptation_loss
from adabldm.sampling.options import FastOptions

ACCURACY = 1e-4
"""Relative error in the energy norm to which the equation is solved, at most."""


def laplacian(c: torch.Tensor) -> torch.Tensor:
    """-div grad with free borders: the sum of a pixel's differences from its neighbours, shaped
    like ``c`` (N, C, H, W)."""
    result = torch.zeros_like(c)
    for dim in (2, 3):
        step = c.diff(dim=dim)
        count = step.shape[dim]
        result.narrow(dim, 1, count).add_(step)
        result.narrow(dim, 0, count).sub_(step)
    return result


def iterations_for(smoothness: float, least_weight: float) -> int:
    """Conjugate gradient steps after which the relative error is below :data:`ACCURACY`, whatever
    the mask.

    With the diagonal w + 4 s as preconditioner the eigenvalues lie in [w / (w + 4 s), 2], so the
    condition number is at most 2 (1 + 4 s / w) for the least weight w.
    """
    condition = 2 * (1 + 4 * smoothness / least_weight)
    return math.ceil(0.5 * math.sqrt(condition) * math.log(2 / ACCURACY))


def smooth_correction(
    image: torch.Tensor,
    defective: torch.Tensor,
    good: torch.Tensor,
    keep: torch.Tensor,
    *,
    background_weight: float,
    smoothness: float,
) -> torch.Tensor:
    """The corrected images (N, 3, H, W), float32: each minimises the objective above by itself.

    ``image`` what is corrected, D(z) or an adapted D'(z); ``defective`` D(z) and ``good``, in
    [-1, 1], all (N, 3, H, W); ``keep`` (N, 1, H, W), 1 = background; ``background_weight`` w > 0;
    ``smoothness`` s >= 0 in squared pixels, 0 gives the plain paste. The number of solver steps
    depends on s and w alone, so a request's result does not depend on its batch.
    """
    image, defective, good = image.float(), defective.float(), good.float()
    defect = 1 - keep
    weight = defect + background_weight * keep
    error = defect * (defective - image) + background_weight * keep * (good - image)

    def operator(c: torch.Tensor) -> torch.Tensor:
        return weight * c + smoothness * laplacian(c)

    diagonal = weight + 4 * smoothness
    iterations = iterations_for(smoothness, min(1.0, background_weight))
    return image + conjugate_gradients(operator, error, diagonal, iterations)


def conjugate_gradients(
    operator: Callable[[torch.Tensor], torch.Tensor],
    right: torch.Tensor,
    diagonal: torch.Tensor,
    iterations: int,
) -> torch.Tensor:
    """Solve operator(x) = right (N, C, H, W), one system an image of the batch, from x = 0.

    ``operator`` linear, symmetric and positive; ``diagonal`` its preconditioner, broadcast over
    ``right``. An image that is solved already stays as it is.
    """

    def dot(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return (a * b).sum(dim=(1, 2, 3), keepdim=True)

    def ratio(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return torch.where(b == 0, 0.0, a / b)

    x = torch.zeros_like(right)
    residual = right
    direction = scaled = residual / diagonal
    size = dot(residual, scaled)
    for _ in range(iterations):
        image = operator(direction)
        length = ratio(size, dot(direction, image))
        x = x + length * direction
        residual = residual - length * image
        scaled = residual / diagonal
        before, size = size, dot(residual, scaled)
        direction = scaled + ratio(size, before) * direction
    return x


def adapt(
    vae: AutoencoderKL,
    latents: torch.Tensor,
    blended: torch.Tensor,
    good: GoodImages,
    options: FastOptions,
) -> list[Adapted]:
    """One result a request: :func:`adabldm.sampling.decoder_adaptation.adapt`'s, corrected, with
    the losses before and after the correction added.

    ``latents`` (N, C, h, w) scaled; ``blended`` D(z) (N, 3, H, W); ``good`` of the same N.
    """
    adapted = decoder_adaptation.adapt(vae, latents, blended, good, options)
    if options.smoothness is None:
        return adapted
    weight = options.background_weight
    corrected = smooth_correction(
        torch.cat([one.image for one in adapted]),
        blended,
        good.images,
        good.pixel_keep,
        background_weight=weight,
        smoothness=options.smoothness,
    )
    results = []
    for one, image, before, own in zip(
        adapted, corrected.split(1), blended.split(1), good.each(), strict=True
    ):
        losses = [
            float(adaptation_loss(made, before, own.images, own.pixel_keep, weight))
            for made in (one.image, image)
        ]
        results.append(replace(one, image=image, losses=(*one.losses, *losses)))
    return results
