"""Which infer result to map or to store: encoded latents, unless predicted ones are named."""

from __future__ import annotations

from chemnet.config import ConfigDict
from chemnet.progress import get_logger
from chemnet.results import ResultDirectory, resolve_input

_log = get_logger(__name__)


def resolve_latents(config: ConfigDict, key: str) -> ResultDirectory:
    """Return the infer result that a key names, or the newest one that an autoencoder encoded.

    Parameters
    ----------
    config
        The merged configuration.
    key
        Dotted key of an infer result; false there means the newest of an autoencoder.

    Raises
    ------
    ResultsError
        When there is none.
    """
    if config.lookup(key) is False:
        return resolve_input(
            config,
            key,
            "infer",
            fits=is_encoded,
            what="infer result of an autoencoder",
            make_with="chemnet infer infer.model_dir=<autoencoder>",
        )
    found = resolve_input(config, key, "infer")
    if not is_encoded(found):
        _log.warning("%s was rolled out by an emulator: its latents are predicted, not encoded", found.name)
    return found


def is_encoded(result: ResultDirectory) -> bool:
    """Return whether the latents of an infer result come from an autoencoder that saw the states."""
    return result.summary.get("role") == "autoencoder"
