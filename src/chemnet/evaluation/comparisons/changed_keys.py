"""The configuration keys that set results apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from chemnet.config.overrides import join_key
from chemnet.results import ResultDirectory
from chemnet.results.agreement import determining_settings
from chemnet.sweeps.ranking import shown
from chemnet.text_tables import Row

Key = tuple[str, ...]

#: tables of the configuration that a training depends on, beside those of the classes that they name
RECIPE = ("train", "model", "optimizer", "criterion", "scheduler")
# what a result is called, what it reads (which digests tell apart) and how it is made
_INCIDENTAL = {
    *(("train", key) for key in ("component", "experiment_name", "mode", "resume", "run_name", "trace")),
    *(("train", key) for key in ("autoencoder_dir", "preprocess_dir")),
    *(("simulate", key) for key in ("pandas_layout", "resume", "workers")),
    ("benchmark", "preprocess_dir"),
    ("sweep", "resume"),
    ("sweep", "storage"),
}
_WIDEST = 32
_ABSENT = "-"


def changed_keys(results: Mapping[str, ResultDirectory], tables: Sequence[str]) -> dict[str, list[Any]]:
    """Return the keys whose value is not the same in all results, with the value in each.

    Parameters
    ----------
    results
        By name.
    tables
        Tables of the configuration that matter to them; those of classes, the seed and, where they were made
        from different data, what determined those data are looked at, too.

    Returns
    -------
    dict
        Dotted key -> one value per result; None where a result knows no such key.
    """
    settings = [_settings(result, tables) for result in results.values()]
    if len({tuple(_data_digests(result)) for result in results.values()}) > 1:
        behind = [_settings_behind(result) for result in results.values()]
        # what some know nothing of, sets of raw tables of a simulation, does not differ in them
        shared = set.intersection(*(set(one) for one in behind))
        for one, more in zip(settings, behind, strict=True):
            for verb in sorted(shared):
                one.update(more[verb])
    keys = dict.fromkeys(key for one in settings for key in one)
    values = {key: [one.get(key) for one in settings] for key in keys}
    return {join_key(key): each for key, each in values.items() if any(one != each[0] for one in each)}


def keys_table(changed: Mapping[str, Sequence[Any]], names: Sequence[str]) -> list[Row]:
    """Return head and rows of what `changed_keys` found, with as few columns as may be."""
    cells = [[_short(value) for value in values] for values in changed.values()]
    if len(names) <= len(changed):
        return [["key", *names], *([key, *row] for key, row in zip(changed, cells, strict=True))]
    return [["", *changed], *([name, *row] for name, *row in zip(names, *cells, strict=True))]


def made_from(results: Mapping[str, ResultDirectory], role: str) -> list[str]:
    """Return the names of the different results that these were made from in a role."""
    found = {
        one.parents[role].digest: one.parents[role].path.name
        for one in results.values()
        if role in one.parents
    }
    return list(found.values())


def _data_digests(result: ResultDirectory) -> Iterator[str]:
    return (
        parent.digest for role, parent in sorted(result.parents.items()) if role in ("preprocess", "simulate")
    )


def _settings(result: ResultDirectory, tables: Sequence[str]) -> dict[Key, Any]:
    """Return the keys of a result's own configuration that may set it apart."""
    config = result.config.to_dict()
    # tables of classes have dots in their names
    kept = {name: table for name, table in config.items() if name in tables or "." in name}
    found = {key: value for key, value in _flat(kept) if key not in _INCIDENTAL}
    return {**found, ("general", "seed"): config.get("general", {}).get("seed")}


def _settings_behind(result: ResultDirectory) -> dict[str, dict[Key, Any]]:
    """Return the keys that determined the data behind a result, by the verb that they were set for."""
    return {
        one.verb: dict(_flat(_nested(determining_settings(one.config, one.verb))))
        for one in result.lineage()
        if one is not result and one.verb in ("preprocess", "simulate") and one.keeps_config
    }


def _nested(settings: Mapping[Key, Any]) -> dict[str, dict[str, Any]]:
    """Return keys of two segments as tables."""
    tables: dict[str, dict[str, Any]] = {}
    for (table, name), value in settings.items():
        tables.setdefault(table, {})[name] = value
    return tables


def _flat(table: Mapping[str, Any], prefix: Key = ()) -> Iterator[tuple[Key, Any]]:
    """Yield every key of nested tables with its value."""
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, (*prefix, name))
        else:
            yield (*prefix, name), value


def _short(value: Any) -> str:
    """Return a value as a cell shows it."""
    text = _ABSENT if value is None else shown(value)
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"
