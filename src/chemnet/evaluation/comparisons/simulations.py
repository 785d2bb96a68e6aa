"""Simulated sets side by side: the species that differ from the first set, and where."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

from chemnet.config import ConfigDict
from chemnet.data.simulated_set import SimulatedSet
from chemnet.errors import ResultsError
from chemnet.evaluation.comparisons.changed_keys import changed_keys, keys_table
from chemnet.evaluation.comparisons.comparison import Comparison, Section
from chemnet.evaluation.comparisons.simulated_pair import SimulatedPair, Thresholds
from chemnet.results import ResultDirectory
from chemnet.text_tables import Row

_SPECIES = 15
# conditions that differ by more than this are not the same [relative]
_SAME_CONDITIONS = 1e-3


def compare_simulations(results: Mapping[str, ResultDirectory], config: ConfigDict) -> Comparison:
    """Compare simulated sets with the first one.

    Parameters
    ----------
    results
        Results of `simulate` by name.
    config
        ``benchmark.floor``, ``visible`` and ``abundant`` say which abundances count.

    Raises
    ------
    ResultsError
        When a set shares no tracer, no species or no time with the first.
    """
    thresholds = Thresholds(**{key: config["benchmark"][key] for key in ("floor", "visible", "abundant")})
    first, *others = results
    with ExitStack() as stack:
        sets = {
            name: stack.enter_context(SimulatedSet(result.file("tracers.h5")))
            for name, result in results.items()
        }
        pairs = {name: SimulatedPair(sets[first], sets[name], thresholds).compare() for name in others}
    for name, pair in pairs.items():
        _check_something_shared(pair, first, name)
    changed = changed_keys(results, ("simulate", "network"))
    sections = [Section(f"Against {first}", _table(pairs, thresholds))]
    for name, pair in pairs.items():
        differing = _species_table(pair, thresholds)
        if len(differing) > 1:
            sections.append(Section(f"Species of {name} that differ most from {first}", differing))
    if changed:
        sections.append(Section("What sets the simulations apart", keys_table(changed, list(results))))
    notes = [
        f"|log10 of the ratio| of abundances, where the larger one is above {thresholds.visible:g} (or "
        f"{thresholds.abundant:g}); those below {thresholds.floor:g} count as {thresholds.floor:g}. "
        f"Signed: + where {first} has less."
    ]
    for name, pair in pairs.items():
        notes += _notes(pair, first, name)
    return Comparison(
        verb="simulate",
        names=tuple(results),
        sections=tuple(sections),
        notes=tuple(notes),
        values={"first": first, "pairs": pairs},
        summary={"first": first, **{name: pair["mean"] for name, pair in pairs.items()}},
    )


def _check_something_shared(pair: Mapping[str, Any], first: str, name: str) -> None:
    for what, hint in (
        (
            "tracers",
            "the same general.seed and families give the same tracers; simulate.tracers takes a file",
        ),
        ("species", "they come from networks without a common species"),
        ("states", "give both the same simulate.n_steps and end_time"),
    ):
        if not pair[what]:
            raise ResultsError(f"{name} and {first} share no {what}: nothing to compare", hint=hint)


def _table(pairs: Mapping[str, Any], thresholds: Thresholds) -> list[Row]:
    head = ["", "tracers", "states", "species"]
    head += [f"mean [dex], above {least:g}" for least in (thresholds.visible, thresholds.abundant)]
    rows = [
        [name, str(pair["tracers"]), f"{pair['states']:,}", str(pair["species"]),
         _dex(pair["mean"]), _dex(pair["mean_abundant"])]
        for name, pair in pairs.items()
    ]  # fmt: skip
    return [head, *rows]


def _species_table(pair: Mapping[str, Any], thresholds: Thresholds) -> list[Row]:
    """Return head and rows of the species that differ most in the mean, and where each differs most."""
    by_species = {name: one for name, one in pair["by_species"].items() if one["worst"]}
    worst = sorted(by_species, key=lambda name: -by_species[name]["mean"])[:_SPECIES]
    head = ["species", "mean [dex]", "signed", "99th percentile", f"mean above {thresholds.abundant:g}"]
    head += ["largest", "from", "to", "tracer", "time [yr]"]
    rows = []
    for name in worst:
        one, at = by_species[name], by_species[name]["worst"]
        cells = [
            _dex(one["mean"]),
            f"{one['signed']:+.3f}",
            _dex(one["percentile_99"]),
            _dex(one["mean_abundant"]),
        ]
        where = [
            f"{at['dex']:+.3f}",
            f"{at['first']:.2e}",
            f"{at['other']:.2e}",
            at["tracer"],
            f"{at['time']:.4g}",
        ]
        rows.append([name, *cells, *where])
    return [head, *rows]


def _notes(pair: Mapping[str, Any], first: str, name: str) -> list[str]:
    """Return what could not be matched, and which conditions are not the same."""
    lost, notes = pair["unmatched"], []
    if not any(one["worst"] for one in pair["by_species"].values()):
        notes.append(f"No species of {name} differs from {first} where they are compared.")
    if any(lost.values()):
        counts = [
            (lost["tracers_of_first"], f"of the tracers of {first}"),
            (lost["tracers_of_other"], f"of the tracers of {name}"),
            (
                lost["states_of_first"],
                f"of the states of shared tracers of {first}, whose times {name} lacks",
            ),
        ]
        told = [f"{count:,} {what}" for count, what in counts if count]
        told += [
            f"{len(lost[key])} species of {whose} ({_listed(lost[key])})"
            for key, whose in (("species_of_first", first), ("species_of_other", name))
            if lost[key]
        ]
        notes.append(f"Not matched: {'; '.join(told)}.")
    moved = {key: apart for key, apart in pair["conditions"].items() if apart > _SAME_CONDITIONS}
    if moved:
        told = [f"{key} by up to {100 * apart:.3g} %" for key, apart in moved.items()]
        notes.append(
            f"The conditions along the shared tracers of {name} are not those of {first}: {', '.join(told)}. "
            "Part of what differs comes from that."
        )
    return notes


def _listed(names: list[str], most: int = 8) -> str:
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")


def _dex(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
