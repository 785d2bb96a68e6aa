"""Which tracers and species a report shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chemnet.chemistry.network.species_sums import positions_of
from chemnet.errors import ConfigError, DataError

# shown where a network has them: what carries the elements, and what telescopes see
WELL_KNOWN = ("CO", "#CO", "H2O", "#H2O", "C+", "HCO+", "NH3", "CH3OH", "#CH3OH", "E-", "OH", "H2")
# panels that fit on a page
N_SPECIES = 9
# of which as many are the worst ones
_N_WORST = 2


def example_tracers(errors: Mapping[str, float]) -> dict[str, str]:
    """Return a typical and the worst tracer of some errors by tracer, the same one only once.

    Examples
    --------
    >>> example_tracers({"a": 0.3, "b": 0.1, "c": 0.2})
    {'typical': 'c', 'worst': 'a'}
    >>> example_tracers({"a": 0.3})
    {'worst': 'a'}
    """
    ranked = sorted(errors, key=lambda tracer: errors[tracer])
    typical = {"typical": ranked[(len(ranked) - 1) // 2]} if len(ranked) > 1 else {}
    return {**typical, "worst": ranked[-1]}


def example_species(
    asked: Sequence[str], species: Sequence[str], by_species: Mapping[str, Mapping[str, float]]
) -> list[str]:
    """Return the species that were asked for, or else well-known ones and the worst."""
    if asked:
        return list(asked)
    worst = sorted(by_species, key=lambda name: -by_species[name]["mlae"])
    known = [name for name in WELL_KNOWN if name in species and name not in worst[:_N_WORST]]
    return [*known[: N_SPECIES - _N_WORST], *worst[:_N_WORST]]


def check_species(asked: Sequence[str], species: Sequence[str]) -> None:
    """Raise a ConfigError for the first of the species asked for that a surrogate does not have."""
    for name in asked:
        try:
            positions_of(name, species)
        except DataError as error:
            raise ConfigError(
                f"benchmark.species: the surrogate has no species '{name}'", hint=error.hint
            ) from error
