"""Recipes that chemnet knows to suit a model: what a training takes where nobody chose otherwise.

Each is a file of configuration beside this one. It stands above the defaults and below all that a user set,
so any key of it can be set as always.
"""

from __future__ import annotations

from pathlib import Path

from chemnet.config import ConfigDict
from chemnet.config.manager import read_settings
from chemnet.config.overrides import join_key

# epochs in the files are meant for so many rows; more rows need fewer, but not as few as they are more
_ROWS, _POWER, _FEWEST = 13_000, 0.75, 8


def with_recipe(config: ConfigDict, name: str, rows: int) -> ConfigDict:
    """Return a configuration with the keys of a recipe, but for those that somebody chose.

    Parameters
    ----------
    config
        What is in force.
    name
        Of the recipe: ``"implicit"``, ``"relaxation"`` or ``"fine_tuning"``.
    rows
        Of the training split: a larger one is passed over in fewer epochs.
    """
    settings = read_settings(Path(__file__).with_name(f"{name}.toml"))
    changes = {one.key: one.value for one in settings if one.key not in config.chosen}
    for key in {("train", "epochs"), ("train", "curriculum_epochs")} & changes.keys():
        changes[key] = epochs_for(changes[key], rows)
    return config.replace({join_key(key): value for key, value in changes.items()})


def epochs_for(epochs: int, rows: int) -> int:
    """Return the epochs for a training split, of those that suit one of 13,000 rows.

    Examples
    --------
    >>> epochs_for(100, 13_000), epochs_for(100, 130_000), epochs_for(100, 100_000_000)
    (100, 18, 8)
    """
    return max(min(epochs, _FEWEST), round(epochs * min(1.0, _ROWS / rows) ** _POWER))
