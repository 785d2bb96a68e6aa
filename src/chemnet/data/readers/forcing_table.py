"""Tracers whose chemistry is still to be computed, read from the same tables as those that have it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from chemnet.chemistry.network.species import is_species
from chemnet.chemistry.tracers import PHYSICAL_NAMES, Tracer
from chemnet.config import ConfigDict
from chemnet.data.readers.column_meanings import Wanted, canonical_name
from chemnet.data.readers.conventions import Conventions, parameters_to_start
from chemnet.data.readers.tracer_catalogue import Catalogue, build_catalogue
from chemnet.data.unit_doubts import Doubt, doubts_of_parameters, doubts_of_time, settle
from chemnet.errors import DataError
from chemnet.progress import get_logger

_log = get_logger(__name__)


def read_tracers(path: str | Path, config: ConfigDict) -> list[Tracer]:
    """Read every tracer of a table, in the order of the file.

    Parameters
    ----------
    path
        File, folder or pattern, in any format that `TracerTable` reads. Rows hold `Time`, `Density`,
        `Radfield`, `Av`, `gasTemp` and, for several tracers, `Tracer`, `tracer_id` or `Model`; plain
        HDF5 needs no abundances. `dustTemp`, `zeta` and column densities are read where they are there; what
        else the table holds is not used, and named in one line.
    config
        The whole configuration; of `[data_set]` names of columns, units and conventions are used.

    Raises
    ------
    DataError
        A file is missing, damaged, empty or of no known format, a column is missing or holds no numbers, or a
        tracer fails the checks of `Tracer` (file, tracer and step are in the message).
    """
    options = config["data_set"]
    catalogue = build_catalogue(Path(path).expanduser(), options, Wanted.of_tracers(config))
    conventions = Conventions.of_table(options, catalogue)
    tracers = [_tracer(catalogue, conventions, number) for number in range(len(catalogue.ids))]
    settle(_doubts(tracers), config)
    used = catalogue.parts[0].plan.physical_names[len(PHYSICAL_NAMES) :]
    if used:
        _log.info("%s: also used: %s", catalogue.parts[0].source.where, "; ".join(map(_use, used)))
    for part in catalogue.parts:
        unread = part.plan.unread(part.source.columns)
        if unread:
            _log.info("%s: not used by simulate: %s", part.source.where, _named(unread))
    return tracers


def _tracer(catalogue: Catalogue, conventions: Conventions, number: int) -> Tracer:
    (run,) = catalogue.runs([number])
    conditions, _ = conventions.read(run, 0)
    time, physical = conditions[:, 0].copy(), conditions[:, 1:]
    if conventions.at_end:
        physical = parameters_to_start(physical, np.array([0, len(time)]))
    try:
        names = run.part.plan.physical_names
        return Tracer(catalogue.ids[number], time, np.ascontiguousarray(physical), names=names)
    except DataError as error:
        negative = physical.size and np.nanmin(physical) < 0.0
        hint = (
            f"{error.hint}; columns of logarithms are named in data_set.log_columns"
            if negative
            else error.hint
        )
        raise DataError(f"{run.part.source.where}: {error.message}", hint=hint) from error


def _doubts(tracers: Sequence[Tracer]) -> Iterator[Doubt]:
    """Doubt spans and parameters that look like those of other units."""
    yield from doubts_of_time(max(float(tracer.time[-1] - tracer.time[0]) for tracer in tracers))
    low = np.min([tracer.physical.min(axis=0) for tracer in tracers], axis=0)
    high = np.max([tracer.physical.max(axis=0) for tracer in tracers], axis=0)
    yield from doubts_of_parameters(tracers[0].names, low, high)


def _use(name: str) -> str:
    """Say what a further condition does in place of the usual."""
    if name.startswith("N_"):
        return f"{name} for self-shielding, in place of the column that follows from Av"
    return f"{name} in place of {'gasTemp' if name == 'dustTemp' else 'the usual rate, 1'}"


def _named(columns: tuple[str, ...]) -> str:
    """Return column names as text; species are counted."""
    others = [column for column in columns if canonical_name(column) != column or not is_species(column)]
    n_species = len(columns) - len(others)
    counted = [f"{n_species} species (the chemistry starts from simulate.initial)"] if n_species else []
    return ", ".join([*others, *counted])
