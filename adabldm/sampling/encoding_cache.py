"""Texts and good images as the model sees them, each encoded once and kept.

Requests share prompts (the empty one above all) and good images. Each is encoded by itself: what
else is in the batch must not change a last bit of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Sequence
from typing import Generic, TypeVar
from weakref import ref

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import nn
from transformers import CLIPTextModel, CLIPTokenizer

from adabldm.core.byte_cache import ByteCache
from adabldm.core.devices import to_device
from adabldm.networks.autoencoder import Posterior, from_uint8, posterior

KEPT_BYTES = 64 << 20
"""At Stable Diffusion's size a prompt takes 0.24 MB, a good image of 256 x 256 pixels 0.03 MB."""

T = TypeVar("T", torch.Tensor, Posterior)


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


def state_of(module: nn.Module) -> tuple[tuple[int, int, torch.dtype], ...]:
    """What changes when the module's weights do: where each is, how often it was written to, its
    type. Writing through ``.data`` is not seen."""
    weights = (*module.parameters(), *module.buffers())
    return tuple((one.data_ptr(), one._version, one.dtype) for one in weights)


class _Encoded(Generic[T]):
    """What one network has encoded, by key: those used last, of at most ``limit`` bytes."""

    def __init__(self, limit: int) -> None:
        self._values: ByteCache[Hashable, T] = ByteCache(limit, _nbytes)
        self._network: ref[nn.Module] | None = None
        self._state: object = None

    @property
    def nbytes(self) -> int:
        return int(self._values.currsize)

    def all_of(
        self, network: nn.Module, keys: Sequence[Hashable], encode: Callable[[int], T]
    ) -> list[T]:
        """The encodings of ``keys`` by ``network``; ``encode`` makes that of the i-th."""
        self._forget_others(network)
        return [self._one(key, encode, index) for index, key in enumerate(keys)]

    def _forget_others(self, network: nn.Module) -> None:
        """Forget what another network, or this one with other weights, has encoded."""
        state = state_of(network)
        if self._network is None or self._network() is not network or self._state != state:
            self._values.clear()
            self._network, self._state = ref(network), state

    def _one(self, key: Hashable, encode: Callable[[int], T], index: int) -> T:
        if key not in self._values:
            self._values[key] = encode(index)
        return self._values[key]


class Encodings:
    """What a pipeline has encoded: of texts and of images each at most ``limit`` bytes, on its
    device. They are of the weights that made them; with others they are made anew."""

    def __init__(self, limit: int = KEPT_BYTES) -> None:
        self._texts: _Encoded[torch.Tensor] = _Encoded(limit)
        self._images: _Encoded[Posterior] = _Encoded(limit)

    @property
    def nbytes(self) -> int:
        """Bytes that are kept."""
        return self._texts.nbytes + self._images.nbytes

    @torch.no_grad()
    def texts(
        self, encoder: CLIPTextModel, tokenizer: CLIPTokenizer, texts: Sequence[str]
    ) -> torch.Tensor:
        """Embeddings (N, L, D)."""
        keys = [(id(tokenizer), text) for text in texts]
        return torch.cat(
            self._texts.all_of(encoder, keys, lambda i: embed(encoder, tokenizer, texts[i]))
        )

    @torch.no_grad()
    def posterior(self, vae: AutoencoderKL, sources: np.ndarray) -> Posterior:
        """Posteriors of good images, uint8 (N, S, S, 3)."""

        def encode(index: int) -> Posterior:
            pixels = to_device(sources[index : index + 1], vae.device)
            return posterior(vae, from_uint8(pixels).to(vae.dtype))

        keys = [_key(source) for source in sources]
        return Posterior.together(self._images.all_of(vae, keys, encode))


def _key(source: np.ndarray) -> bytes:
    shape = str(source.shape).encode()
    return hashlib.blake2b(source.tobytes(), digest_size=16, key=shape).digest()


def _nbytes(value: torch.Tensor | Posterior) -> int:
    if isinstance(value, torch.Tensor):
        return value.nbytes
    return value.mean.nbytes + value.std.nbytes
