"""Texts and good images as the model sees them, each encoded once a call.

Requests of a call share prompts (the empty one above all) and good images. Each is encoded by
itself: what else is in the batch must not change a last bit of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from diffusers import AutoencoderKL
from transformers import CLIPTextModel, CLIPTokenizer

from adabldm.autoencoder import Posterior, from_uint8, posterior
from adabldm.devices import to_device


def embed(encoder: CLIPTextModel, tokenizer: CLIPTokenizer, text: str) -> torch.Tensor:
    """The text's embedding (1, L, D), cut at the encoder's length."""
    tokens = tokenizer(
        [text],
        padding="max_length",
        max_length=encoder.config.max_position_embeddings,
        truncation=True,
        return_tensors="pt",
    )
    return encoder(tokens.input_ids.to(encoder.device))[0]


class Encodings:
    """What one call has encoded; ``embed`` gives a text's embedding (1, L, D)."""

    def __init__(self, vae: AutoencoderKL, embed: Callable[[str], torch.Tensor]) -> None:
        self._vae, self._embed = vae, embed
        self._texts: dict[str, torch.Tensor] = {}
        self._images: dict[bytes, Posterior] = {}

    def texts(self, texts: Sequence[str]) -> torch.Tensor:
        """Embeddings (N, L, D)."""
        for text in texts:
            if text not in self._texts:
                self._texts[text] = self._embed(text)
        return torch.cat([self._texts[text] for text in texts])

    def posterior(self, sources: np.ndarray) -> Posterior:
        """Posteriors of good images, uint8 (N, S, S, 3)."""
        return Posterior.together([self._of_image(source) for source in sources])

    def _of_image(self, source: np.ndarray) -> Posterior:
        key = source.tobytes()
        if key not in self._images:
            pixels = to_device(source[None], self._vae.device)
            self._images[key] = posterior(self._vae, from_uint8(pixels).to(self._vae.dtype))
        return self._images[key]
