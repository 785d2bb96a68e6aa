"""Benchmarks side by side: the figures of the full rollout, and the species in which they differ."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from chemnet.errors import ResultsError
from chemnet.evaluation.comparisons.changed_keys import changed_keys, keys_table
from chemnet.evaluation.comparisons.comparison import Comparison, Section
from chemnet.plots.benchmark_tables import comparison_table
from chemnet.results import ResultDirectory
from chemnet.text_tables import Row

_SPECIES = 15


def compare_benchmarks(results: Mapping[str, ResultDirectory]) -> Comparison:
    """Put benchmarks side by side, in the order in which they were named.

    Parameters
    ----------
    results
        Results of `benchmark` by name.

    Raises
    ------
    ResultsError
        When they were scored on different tracers: their figures say nothing of each other.
    """
    metrics = {
        name: json.loads(one.file("metrics.json").read_text(encoding="utf-8"))
        for name, one in results.items()
    }
    scored = {name: frozenset(one["scores"]["rollout"]["by_tracer"]) for name, one in metrics.items()}
    first, *others = results
    for name in others:
        if scored[name] != scored[first]:
            raise ResultsError(
                f"{results[name].name} and {results[first].name} were scored on different tracers",
                hint="run `chemnet benchmark` on the same split: benchmark.preprocess_dir",
            )
    values = {name: {"scores": one["scores"], "trust": one["trust"]} for name, one in metrics.items()}
    species, alone = _species_table(values)
    changed = changed_keys(results, ("benchmark", "surrogate"))
    sections = [Section("Full rollout from the initial state", comparison_table(values))]
    sections.append(Section("Species in which they differ most: mLAE [dex]", species))
    if changed:
        sections.append(Section("What sets the benchmarks apart", keys_table(changed, list(results))))
    notes = [f"Scored on the same {len(scored[first])} tracers."]
    if alone:
        notes.append(f"{alone} species are not in all of them; the figures of each are over its own species.")
    return Comparison(
        verb="benchmark",
        names=tuple(results),
        sections=tuple(sections),
        notes=tuple(notes),
        values=values,
        summary={name: one["scores"]["rollout"]["mlae"] for name, one in values.items()},
    )


def _species_table(values: Mapping[str, Any]) -> tuple[list[Row], int]:
    """Return head and rows of the species in which the errors differ most, and how many are not in all."""
    by_species = [one["scores"]["rollout"]["by_species"] for one in values.values()]
    shared = [name for name in by_species[0] if all(name in one for one in by_species)]
    errors = {name: [one[name]["mlae"] for one in by_species] for name in shared}
    spread = {name: max(each) - min(each) for name, each in errors.items()}
    worst = sorted(spread, key=lambda name: -spread[name])[:_SPECIES]
    rows = [[name, *(f"{error:.3f}" for error in errors[name]), f"{spread[name]:.3f}"] for name in worst]
    alone = len({name for one in by_species for name in one}) - len(shared)
    return [["species", *values, "largest difference"], *rows], alone
