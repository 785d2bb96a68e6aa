"""chemnet: neural surrogates of astrochemistry that say how far they can be trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chemnet.caches import ensure_caches
from chemnet.config import ConfigDict
from chemnet.core import ChemNet
from chemnet.errors import ChemNetError
from chemnet.registry import chem_dataset, chem_model, chem_verb
from chemnet.verbs.verb import Verb

if TYPE_CHECKING:
    __version__: str
    from chemnet.data.chem_dataset import ChemDataset
    from chemnet.data.infer_result.inference_dataset import InferenceDataset
    from chemnet.models.contract import ChemModel
    from chemnet.surrogate.surrogate import Surrogate
    from chemnet.surrogate.wrappers.fallback import Fallback

__all__ = [
    "ChemDataset",
    "ChemModel",
    "ChemNet",
    "ChemNetError",
    "ConfigDict",
    "Fallback",
    "InferenceDataset",
    "Surrogate",
    "Verb",
    "__version__",
    "chem_dataset",
    "chem_model",
    "chem_verb",
]

# before anybody imports Numba or Matplotlib
ensure_caches()

# imported when first asked for: they need NumPy or torch, which `import chemnet` does not load
_LAZY = {
    "ChemDataset": "chemnet.data.chem_dataset",
    "ChemModel": "chemnet.models.contract",
    "InferenceDataset": "chemnet.data.infer_result.inference_dataset",
    "Fallback": "chemnet.surrogate.wrappers.fallback",
    "Surrogate": "chemnet.surrogate.surrogate",
}
_PACKAGES = ("chemistry", "data", "evaluation", "models", "plots", "search", "surrogate", "training")


def __getattr__(name: str) -> Any:
    import importlib

    if name == "__version__":
        from importlib.metadata import version

        return version("chemnet")
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    if name in _PACKAGES:
        return importlib.import_module(f"chemnet.{name}")
    raise AttributeError(f"module 'chemnet' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
