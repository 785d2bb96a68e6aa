"""A worked example of a chemnet plugin: two models, a step, a dataset, a reader, a
preprocessing method, a verb and their configuration keys.

Importing the package registers them; the entry point in ``pyproject.toml`` makes chemnet import it.
"""

from chemnet_example_plugin import datasets, emulators, models, preprocessing, readers, verbs

__all__ = ["datasets", "emulators", "models", "preprocessing", "readers", "verbs"]
