"""Splits of tracers into train, validate and test: seeded, disjoint and reusable across runs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from chemnet.data.chem_dataset import ChemDataset
from chemnet.errors import DataError

SPLIT_NAMES = ("train", "validate", "test")
# Label of what belongs to no split: the sizes may sum to less than 1.
UNUSED = len(SPLIT_NAMES)
SPLIT_FILE_NAME = "splits.json"


def split_counts(n_items: int, sizes: Mapping[str, float]) -> dict[str, int]:
    """Return how many of `n_items` each split gets.

    The counts are rounded by largest remainder, and a split whose size is not 0 gets at least one item.

    Parameters
    ----------
    n_items
        Number of tracers (or rows).
    sizes
        Fraction of each split; they are in [0, 1], sum to at most 1, and "train" is not 0.

    Raises
    ------
    DataError
        When a fraction is out of range, they sum to more than 1, or there are fewer items than splits.

    Examples
    --------
    >>> split_counts(55, {"train": 0.8, "validate": 0.1, "test": 0.1})
    {'train': 44, 'validate': 6, 'test': 5}
    """
    _check_sizes(sizes)
    wanted = [name for name in sizes if sizes[name] > 0]
    if n_items < len(wanted):
        raise DataError(
            f"{n_items} tracers cannot fill {len(wanted)} splits ({', '.join(wanted)})",
            hint="bring more tracers, or set the size of a split to 0",
        )
    # the rounding keeps 0.8 + 0.1 + 0.1 at exactly 1
    total = round(n_items * round(sum(sizes.values()), 9))
    exact = {name: n_items * sizes[name] for name in sizes}
    counts = {name: int(exact[name]) for name in sizes}
    by_remainder = sorted(sizes, key=lambda name: counts[name] - exact[name])
    for name in by_remainder[: max(0, total - sum(counts.values()))]:
        counts[name] += 1
    for name in wanted:
        if counts[name] == 0:
            counts[name] = 1
            if sum(counts.values()) > n_items:
                counts[max(counts, key=lambda other: counts[other])] -= 1
    return counts


def random_labels(n_items: int, sizes: Mapping[str, float], seed: int) -> np.ndarray:
    """Return the split of each item as an index into `SPLIT_NAMES`, or `UNUSED`, uint8 `(n_items,)`.

    Parameters
    ----------
    n_items
        Number of tracers (or rows).
    sizes
        Fraction of each split, see `split_counts`.
    seed
        Seed of the shuffle; the same seed and number of items give the same labels.
    """
    counts = split_counts(n_items, sizes)
    labels = np.full(n_items, UNUSED, dtype=np.uint8)
    filled = 0
    for label, name in enumerate(SPLIT_NAMES):
        labels[filled : filled + counts[name]] = label
        filled += counts[name]
    return np.random.default_rng(seed).permutation(labels)


def labels_from_file(path: Path, tracer_ids: Sequence[str]) -> np.ndarray:
    """Return the split of each tracer as an earlier split file states it, uint8 `(n_tracers,)`.

    Tracers that the file does not name are in no split.

    Parameters
    ----------
    path
        A `splits.json`, or the preprocess result directory that holds one.
    tracer_ids
        The tracers of the data set.

    Raises
    ------
    DataError
        When the file is missing or malformed, a tracer is on two sides, or no tracer of a split is in this
        data set.
    """
    splits = read_split_file(path)
    label_of = {tracer: label for label, name in enumerate(SPLIT_NAMES) for tracer in splits[name]}
    labels = np.array([label_of.get(tracer, UNUSED) for tracer in tracer_ids], dtype=np.uint8)
    for label, name in enumerate(SPLIT_NAMES):
        if splits[name] and not (labels == label).any():
            raise DataError(
                f"{path}: none of the {len(splits[name])} tracers of split '{name}' is in the data set "
                f"(the file names {_shorten(splits[name])}; the data set has {_shorten(tracer_ids)})",
                hint="use a split file of the same tracers, or leave preprocess.split_file unset",
            )
    return labels


def labels_of_own_split(dataset: ChemDataset) -> np.ndarray:
    """Return the split of each tracer as the data set itself states it, uint8 `(n_tracers,)`.

    Raises
    ------
    DataError
        When it states none.
    """
    if dataset.own_split is None:
        raise DataError(
            f"preprocess.own_split: this {type(dataset).__name__} comes without a split of its own",
            hint="CODES sets have one; set preprocess.own_split = false, or name a split_file",
        )
    label_of = {tracer: SPLIT_NAMES.index(name) for name, ids in dataset.own_split.items() for tracer in ids}
    return np.array([label_of.get(tracer, UNUSED) for tracer in dataset.tracer_ids], dtype=np.uint8)


def read_split_file(path: Path) -> dict[str, list[str]]:
    """Read a split file and check that it is well formed and that no tracer is on two sides.

    Raises
    ------
    DataError
        Naming the file and what is wrong with it.
    """
    file = path / SPLIT_FILE_NAME if path.is_dir() else path
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(
            f"{file}: no such split file", hint="set preprocess.split_file to a splits.json"
        ) from None
    except (OSError, ValueError) as error:
        raise DataError(f"{file}: not a split file: {error}") from error
    if not isinstance(content, dict) or set(content) - set(SPLIT_NAMES) or "train" not in content:
        found = ", ".join(map(str, content)) if isinstance(content, dict) else type(content).__name__
        raise DataError(
            f"{file}: a split file has the keys {', '.join(SPLIT_NAMES)}; found {found}",
            hint="method 'random' splits rows and writes no split of tracers",
        )
    splits = {name: [str(tracer) for tracer in content.get(name, [])] for name in SPLIT_NAMES}
    _check_disjoint(splits, file)
    return splits


def write_split_file(path: Path, tracer_ids: Sequence[str], labels: np.ndarray) -> None:
    """Write which tracers each split holds: ``{"train": [ids], "validate": [ids], "test": [ids]}``."""
    splits = {
        name: [tracer_ids[index] for index in np.flatnonzero(labels == label).tolist()]
        for label, name in enumerate(SPLIT_NAMES)
    }
    path.write_text(json.dumps(splits, indent=1), encoding="utf-8")


def _check_sizes(sizes: Mapping[str, float]) -> None:
    """Refuse fractions outside [0, 1], a sum above 1 and an empty training split."""
    for name, size in sizes.items():
        if not 0.0 <= size <= 1.0:
            raise DataError(
                f"preprocess.{name}_size = {size} is outside [0, 1]",
                hint=f"preprocess.{name}_size is a fraction of the tracers, such as 0.1",
            )
    if sum(sizes.values()) > 1.0 + 1e-9:
        listed = " + ".join(f"{name}_size {size:g}" for name, size in sizes.items())
        raise DataError(
            f"the splits hold more than everything: {listed} = {sum(sizes.values()):g}",
            hint="let preprocess.train_size, validate_size and test_size sum to at most 1",
        )
    if sizes["train"] == 0.0:
        raise DataError(
            "preprocess.train_size is 0: there is nothing to train on", hint="set preprocess.train_size = 0.8"
        )


def _check_disjoint(splits: Mapping[str, Sequence[str]], file: Path) -> None:
    owner: dict[str, str] = {}
    for name, tracers in splits.items():
        for tracer in tracers:
            if owner.setdefault(tracer, name) != name:
                raise DataError(
                    f"{file}: tracer '{tracer}' is in split '{owner[tracer]}' and in split '{name}'",
                    hint="name each tracer in one split only",
                )


def _shorten(tracers: Sequence[str], shown: int = 3) -> str:
    listed = ", ".join(f"'{tracer}'" for tracer in tracers[:shown])
    return f"{listed}, ..." if len(tracers) > shown else listed or "none"
