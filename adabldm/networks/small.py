"""The architecture of the embedded model: Stable Diffusion's parts, small enough for a CPU."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import pairwise

from diffusers import AutoencoderKL, ControlNetModel, UNet2DConditionModel
from tokenizers import pre_tokenizers
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

IMAGE_SIZE = 128
FACTOR = 4
"""Pixels of a side to one latent cell."""
LATENT_CHANNELS = 6
TEXT_WIDTH = 64
TEXT_LENGTH = 32
START, END = "<|startoftext|>", "<|endoftext|>"


def build_autoencoder(scaling_factor: float = 1.0) -> AutoencoderKL:
    """4x down, so that a thin scratch is as wide as a cell; 6 channels, 0.65 M parameters."""
    return AutoencoderKL(
        block_out_channels=(16, 32, 64),
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        mid_block_add_attention=False,
        layers_per_block=1,
        latent_channels=LATENT_CHANNELS,
        norm_num_groups=8,
        sample_size=IMAGE_SIZE,
        scaling_factor=scaling_factor,
    )


def build_unet() -> UNet2DConditionModel:
    """Four levels on 32 x 32 latents, cross-attention on the two small ones."""
    return UNet2DConditionModel(
        sample_size=IMAGE_SIZE // FACTOR,
        in_channels=LATENT_CHANNELS,
        out_channels=LATENT_CHANNELS,
        block_out_channels=(48, 96, 160, 192),
        down_block_types=("DownBlock2D", "DownBlock2D", *["CrossAttnDownBlock2D"] * 2),
        up_block_types=(*["CrossAttnUpBlock2D"] * 2, "UpBlock2D", "UpBlock2D"),
        layers_per_block=1,
        norm_num_groups=16,
        cross_attention_dim=TEXT_WIDTH,
        attention_head_dim=4,
    )


def build_controlnet(unet: UNet2DConditionModel) -> ControlNetModel:
    """The control branch: a copy of the U-Net's encoder half with zero convolutions."""
    return ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=(16, 32, 64))


def build_text_encoder(tokenizer: CLIPTokenizer) -> CLIPTextModel:
    """Two transformer layers, 64 wide."""
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=TEXT_WIDTH,
            intermediate_size=4 * TEXT_WIDTH,
            num_hidden_layers=2,
            num_attention_heads=2,
            max_position_embeddings=TEXT_LENGTH,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def build_tokenizer(corpus: Iterable[str], merges: int = 400) -> CLIPTokenizer:
    """A CLIP tokenizer whose byte pairs are learned from ``corpus``; any text can be encoded.

    The same corpus gives the same tokenizer.
    """
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    learned = _byte_pairs(corpus, merges)
    tokens = [START, END, *alphabet, *(letter + "</w>" for letter in alphabet)]
    tokens += dict.fromkeys(first + second for first, second in learned)
    vocabulary = {token: index for index, token in enumerate(dict.fromkeys(tokens))}
    return CLIPTokenizer(vocab=vocabulary, merges=learned, model_max_length=TEXT_LENGTH)


def _byte_pairs(corpus: Iterable[str], merges: int) -> list[tuple[str, str]]:
    """The pairs that byte pair encoding merges, in order (Sennrich et al., 2016).

    The tokenizers library's own trainer breaks ties differently from run to run.
    """
    splitter = pre_tokenizers.Sequence(
        [pre_tokenizers.Whitespace(), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    words: Counter[tuple[str, ...]] = Counter()
    for text in corpus:
        for word, _ in splitter.pre_tokenize_str(text):
            words[*word[:-1], word[-1] + "</w>"] += 1
    learned: list[tuple[str, str]] = []
    while len(learned) < merges:
        pairs: Counter[tuple[str, str]] = Counter()
        for symbols, count in words.items():
            for pair in pairwise(symbols):
                pairs[pair] += count
        if not pairs:
            break
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        learned.append(best)
        merged: Counter[tuple[str, ...]] = Counter()
        for symbols, count in words.items():
            merged[_merged(symbols, best)] += count
        words = merged
    return learned


def _merged(symbols: tuple[str, ...], pair: tuple[str, str]) -> tuple[str, ...]:
    """``symbols`` with every ``pair`` joined, from the left."""
    joined: list[str] = []
    for symbol in symbols:
        if joined and (joined[-1], symbol) == pair:
            joined[-1] += symbol
        else:
            joined.append(symbol)
    return tuple(joined)
