"""A worked example of a chemnet plugin: one model, one dataset, one verb and their configuration keys.

Importing the package registers all three; the entry point in ``pyproject.toml`` makes chemnet import it.
"""

from chemnet_example_plugin import datasets, models, verbs

__all__ = ["datasets", "models", "verbs"]
