"""AdaBLDM: industrial defect generation by blended latent diffusion with online adaptation.

Offers ``AdaBLDMPipeline`` and its options, ``ExactOptions`` and ``FastOptions``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from adabldm.pipeline import AdaBLDMPipeline as AdaBLDMPipeline
    from adabldm.sampling.options import ExactOptions as ExactOptions
    from adabldm.sampling.options import FastOptions as FastOptions
    from adabldm.sampling.options import SamplerOptions as SamplerOptions

_OPTIONS = "adabldm.sampling.options"
_HOMES = {
    "AdaBLDMPipeline": "adabldm.pipeline",
    "ExactOptions": _OPTIONS,
    "FastOptions": _OPTIONS,
    "SamplerOptions": _OPTIONS,
}
__all__ = ["AdaBLDMPipeline", "ExactOptions", "FastOptions", "SamplerOptions"]


def __getattr__(name: str) -> Any:
    """Import on first use, so that importing a torch-free part does not load torch."""
    if name not in _HOMES:
        raise AttributeError(f"module 'adabldm' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
