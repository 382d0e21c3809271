"""The guided noise prediction: control branch and U-Net, with classifier-free guidance."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from diffusers import ControlNetModel, UNet2DConditionModel

from adabldm.core.devices import begin_step


def timestep(z: torch.Tensor, t: int) -> torch.Tensor:
    """``t`` as a tensor (1,) beside ``z``: a network is compiled for every number, but once for a
    tensor."""
    return torch.full((1,), t, device=z.device)


@dataclass(frozen=True, kw_only=True)
class TextEmbeddings:
    """Embeddings (N, L, D): of the prompt, of the negative prompt, and of the empty text, which is
    all that the control branch sees."""

    prompt: torch.Tensor
    negative: torch.Tensor
    empty: torch.Tensor


@dataclass(frozen=True, kw_only=True)
class NoisePredictor:
    """The guided noise prediction of a batch.

    The control residuals do not depend on the prompt, so they are computed once a step and serve
    both guidance passes.
    """

    unet: UNet2DConditionModel
    controlnet: ControlNetModel
    control_image: torch.Tensor
    texts: TextEmbeddings
    guidance: float

    def control(self, z: torch.Tensor, t: int) -> tuple[list[torch.Tensor], torch.Tensor]:
        """Residuals of the down blocks and of the middle block. Begins a step."""
        begin_step(z.device)
        down, middle = self.controlnet(
            z,
            timestep(z, t),
            encoder_hidden_states=self.texts.empty,
            controlnet_cond=self.control_image,
            return_dict=False,
        )
        return list(down), middle

    def passes(self, z: torch.Tensor, t: int) -> tuple[torch.Tensor, torch.Tensor]:
        """(unconditional, conditional) noise prediction, each shaped like ``z``."""
        down, middle = self.control(z, t)
        both = self.unet(
            torch.cat([z, z]),
            timestep(z, t),
            encoder_hidden_states=torch.cat([self.texts.negative, self.texts.prompt]),
            down_block_additional_residuals=[torch.cat([part, part]) for part in down],
            mid_block_additional_residual=torch.cat([middle, middle]),
            return_dict=False,
        )[0]
        unconditional, conditional = both.to(z.dtype).chunk(2)
        return unconditional, conditional

    def conditional(self, z: torch.Tensor, t: int) -> torch.Tensor:
        """The noise prediction for the prompt alone, without guidance, shaped like ``z``."""
        down, middle = self.control(z, t)
        predicted = self.unet(
            z,
            timestep(z, t),
            encoder_hidden_states=self.texts.prompt,
            down_block_additional_residuals=down,
            mid_block_additional_residual=middle,
            return_dict=False,
        )[0]
        return predicted.to(z.dtype)

    def guide(self, unconditional: torch.Tensor, conditional: torch.Tensor) -> torch.Tensor:
        return unconditional + self.guidance * (conditional - unconditional)
