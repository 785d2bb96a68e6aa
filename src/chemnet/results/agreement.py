"""How well a result agrees with a configuration: the data behind it, and its component.

The data behind a result are those of the `preprocess` and `simulate` results among its ancestors. Their
settings stand in the configurations that those results keep, so the comparison takes the word of nobody else.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chemnet.config import ConfigDict
from chemnet.config.overrides import join_key
from chemnet.results.directory import ResultDirectory

Key = tuple[str, ...]

#: tables that determine what a verb makes, where the data behind a result are concerned
_DETERMINING = {"simulate": ("simulate",), "preprocess": ("data_set", "preprocess")}
_PATH, _SEED, _COMPONENT = ("data_set", "path"), ("general", "seed"), ("train", "component")
# how it is made, not what
_INCIDENTAL = {
    _PATH,
    ("data_set", "network"),
    ("preprocess", "compression"),
    ("simulate", "pandas_layout"),
    ("simulate", "resume"),
    ("simulate", "workers"),
}
_TOLD = 3


@dataclass(frozen=True)
class Difference:
    """A key whose value in a result differs from the configuration's.

    Attributes
    ----------
    key
        Its segments.
    there, here
        The result's value and the configuration's.
    chosen
        Whether somebody set it here to another value than its default, which makes no claim about a result:
        a result's `runtime_config.toml` holds every key.
    """

    key: Key
    there: Any
    here: Any
    chosen: bool

    def __str__(self) -> str:
        return f"{join_key(self.key)} = {self.there!r}, here {self.here!r}"


@dataclass(frozen=True)
class Agreement:
    """How a result differs from what a configuration says.

    Attributes
    ----------
    data
        Differences in the data behind it.
    component
        The difference in its component's name, where the configuration names one.
    """

    data: tuple[Difference, ...] = ()
    component: tuple[Difference, ...] = ()

    @property
    def contradictions(self) -> tuple[Difference, ...]:
        """The differences which mean that the result was made from other data than those asked for."""
        return tuple(one for one in self.data if one.chosen)

    @property
    def rank(self) -> tuple[bool, bool, bool]:
        """Rank of the agreement: the lower, the better."""
        return bool(self.contradictions), bool(self.component), bool(self.data)

    def __str__(self) -> str:
        differences = sorted((*self.component, *self.data), key=lambda one: not one.chosen)
        more = f" and {len(differences) - _TOLD} more" if len(differences) > _TOLD else ""
        return "; ".join(map(str, differences[:_TOLD])) + more


def says_something(config: ConfigDict, same_data: bool, names_component: bool) -> bool:
    """Return whether a configuration sets anything that a result could disagree with; see `agreement`."""
    tables = {table for tables in _DETERMINING.values() for table in tables}
    told = {key for key in config.chosen if key[0] in tables and (key == _PATH or key not in _INCIDENTAL)}
    told |= config.chosen & {("general", "data_dir")}
    return (same_data and bool(told)) or (names_component and config["train"]["component"] is not False)


def agreement(
    result: ResultDirectory, config: ConfigDict, same_data: bool, names_component: bool
) -> Agreement:
    """Compare how a result was made with a configuration.

    Parameters
    ----------
    result
        The result; ancestors that are gone say nothing.
    config
        What is asked for.
    same_data
        Whether the configuration's data are those behind the result, and not others to use it on.
    names_component
        Whether ``train.component`` names the wanted result, and not one that is to be made.
    """
    lineage = result.lineage() if same_data else ()
    behind = [one for one in lineage if one.verb in _DETERMINING and one.keeps_config]
    data = [difference for one in behind for difference in _differences(one, config)]
    # of the result itself, or of the nearest that it was made by
    found = next((one.component for one in result.lineage() if one.component is not None), None)
    wanted = config["train"]["component"]
    other = names_component and wanted is not False and found not in (None, wanted)
    component = (Difference(_COMPONENT, found, wanted, chosen=True),) if other else ()
    return Agreement(tuple(data), component)


def _differences(result: ResultDirectory, config: ConfigDict) -> Iterator[Difference]:
    """Yield the keys that determine a result and have another value here."""
    there, here = determining_settings(result.config, result.verb), determining_settings(config, result.verb)
    for key in there.keys() & here.keys():  # keys may have come and gone since
        if there[key] != here[key]:
            chosen = any(config.departs(one) for one in config.chosen if one[:2] == key)
            yield Difference(key, there[key], here[key], chosen)
    if result.verb == "preprocess":
        yield from _other_path(result, config)
    seeds = result.config["general"]["seed"], config["general"]["seed"]
    if seeds[0] != seeds[1]:
        # the seed of weights, too: one that is set need not be meant for the data
        yield Difference(_SEED, *seeds, chosen=False)


def determining_settings(config: ConfigDict, verb: str) -> dict[Key, Any]:
    """Return the keys that determine what a verb makes; a table inside them is one value."""
    keys = [(table, name) for table in _DETERMINING[verb] for name in config[table]]
    values = {key: config[key[0]][key[1]] for key in keys if key not in _INCIDENTAL}
    return {key: value.to_dict() if isinstance(value, ConfigDict) else value for key, value in values.items()}


def _other_path(result: ResultDirectory, config: ConfigDict) -> Iterator[Difference]:
    """Yield the difference where a preprocess result was made from another place than the configured one."""
    from_simulate = "simulate" in result.parents
    there, here = False if from_simulate else _data_path(result.config), _data_path(config)
    if there == here or _seen_from_results(result.config, there) == _seen_from_results(config, here):
        return
    chosen = config.departs(_PATH) or config.departs(("general", "data_dir"))
    yield Difference(_PATH, result.parents["simulate"].path.name if from_simulate else there, here, chosen)


def _data_path(config: ConfigDict) -> Any:
    """Return where the tables are that a configuration names, or False."""
    path = config["data_set"]["path"]
    return config["general"]["data_dir"] if path is False else path


def _seen_from_results(config: ConfigDict, path: Any) -> str:
    """Return the way from the results to the data: the same where a project was moved as a whole."""
    results_dir = Path(config["general"]["results_dir"]).resolve()
    return os.path.relpath(Path(path).resolve(), results_dir) if path is not False else ""
