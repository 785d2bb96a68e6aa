"""`TracerTable`: the dataset that reads every table format."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import cached_property, partial
from pathlib import Path

import numpy as np

from chemnet.chemistry.network.species_names import refuse_accidents
from chemnet.chemistry.network.stoichiometry import stoichiometric_matrix
from chemnet.config import ConfigDict
from chemnet.data.chem_dataset import ChemDataset, TracerBlock, tracer_groups
from chemnet.data.readers.column_meanings import Wanted
from chemnet.data.readers.conventions import Conventions, insert_rows, parameters_to_start
from chemnet.data.readers.initial_row import initial_row
from chemnet.data.readers.tracer_catalogue import Catalogue, build_catalogue
from chemnet.data.value_checks import Place, check_physical, check_time, clip_abundance
from chemnet.errors import ConfigError, DataError
from chemnet.progress import get_logger
from chemnet.registry import chem_dataset
from chemnet.results.digests import file_digest

_log = get_logger(__name__)

_CONTENT_KEYS = (
    "group", "physical", "species", "physical_alignment", "prepend_initial", "time_unit", "unequal_length",
    "nan_mode",
)  # fmt: skip
# keys that came later: they count where they are set, so that digests of older results stay as they are
_LATER_KEYS = {"columns": {}, "abundance_per": "H", "log_columns": (), "decimal_comma": False}


@chem_dataset
class TracerTable(ChemDataset):
    """Tracers in tables: pandas-HDF5, plain HDF5, Carbox HDF5, npy with columns.json, Parquet or CSV.

    The format is found by content. Only ids are read on construction; `read` streams whole tracers.

    Parameters
    ----------
    config
        The whole configuration; `[data_set]` is used.

    Raises
    ------
    DataError
        When the data is missing, damaged, incomplete or holds values that no tracer can have.
    """

    checks_values = True
    follows_keys = True

    def __init__(self, config: ConfigDict) -> None:
        super().__init__(config)
        self._options = config["data_set"]
        self._wanted = Wanted.of_data_set(config)
        catalogue = build_catalogue(_data_path(config), self._options, self._wanted)
        self._conventions = Conventions.of_table(self._options, catalogue)
        plan = catalogue.parts[0].plan
        self.species = plan.species_names
        self.physical_names = plan.physical_names
        self.unread_columns = plan.unread(catalogue.parts[0].source.columns)
        refuse_accidents(self.species, dict.fromkeys(self.species, catalogue.parts[0].source.where))
        stoichiometric_matrix(self.species)  # refuses what is no formula before any row is read
        option = self._options["prepend_initial"]
        self._initial = None if option is False else initial_row(option, self.species)
        self._prepended = int(self._initial is not None)
        if self._options["nan_mode"] == "drop_tracer":
            catalogue = self._without_nan(catalogue)
        self._catalogue = _of_agreed_length(catalogue, self._options["unequal_length"])
        self.tracer_ids = self._catalogue.ids
        self.lengths = self._catalogue.lengths + self._prepended
        # ids of several files may have been renamed
        self.own_split = self._catalogue.parts[0].source.own_split if len(catalogue.parts) == 1 else None

    def read(self, tracers: Sequence[int]) -> TracerBlock:
        """Return some tracers in raw units, checked and in chemnet's convention.

        Raises
        ------
        DataError
            For NaN, negative abundances, parameters that are not positive, or times that do not increase.
        """
        return self._assemble(tracers, len(self.species), self._checked)

    def read_stored(self, tracers: Sequence[int]) -> TracerBlock:
        """Return some tracers, their abundances unchecked and in float32 where the table has them so."""
        return self._assemble(tracers, len(self.species), _unchecked)

    def read_conditions(self, tracers: Sequence[int]) -> TracerBlock:
        """Return time and physical parameters alone; separate arrays of abundances are not touched."""
        return self._assemble(tracers, 0, _unchecked)

    def unread_conditions(self, tracers: Sequence[int]) -> dict[str, tuple[float, float]]:
        """Return least and largest cosmic-ray rate and dust temperature where they vary unread.

        Dust as warm as the gas varies with it, which says nothing new.
        """
        found: dict[str, list[np.ndarray]] = {}
        for run in self._catalogue.runs(tracers):
            columns = [self._wanted.name(column) for column in run.part.source.columns]
            names = [
                name for name in ("zeta", "dustTemp") if name in columns and name not in self.physical_names
            ]
            if not names:
                continue
            gas = ["gasTemp"] if "gasTemp" in columns else []
            values = run.part.source.read(
                run.start, run.stop, [columns.index(name) for name in (*names, *gas)]
            )
            for i, name in enumerate(names):
                if name != "dustTemp" or not gas or not np.array_equal(values[:, i], values[:, -1]):
                    found.setdefault(name, []).append(values[:, i])
        return {
            name: (float(np.nanmin(column)), float(np.nanmax(column)))
            for name, column in ((name, np.concatenate(pieces)) for name, pieces in found.items())
        }

    @cached_property
    def digest(self) -> str:
        """Digest of the files' content and of the keys of `[data_set]` that change what is read from them."""
        words = [file_digest(part.source.path) for part in self._catalogue.parts]
        words += [f"{key}={self._options[key]!r}" for key in _CONTENT_KEYS]
        words += [
            f"{key}={self._options[key]!r}"
            for key, unset in _LATER_KEYS.items()
            if self._options[key] != unset
        ]
        if isinstance(self._options["prepend_initial"], str):
            words.append(file_digest(Path(self._options["prepend_initial"]).expanduser()))
        return hashlib.blake2b("\n".join(words).encode(), digest_size=16).hexdigest()

    def _assemble(
        self, tracers: Sequence[int], n_species: int, judged: Callable[[np.ndarray, Place], np.ndarray]
    ) -> TracerBlock:
        """Read tracers with their first `n_species` species, check and align them."""
        chosen = np.asarray(tracers, dtype=np.int64)
        lengths = self._catalogue.lengths[chosen]
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        conditions, abundance = self._table(self._catalogue, chosen, n_species)
        time, physical = conditions[:, 0], conditions[:, 1:]
        place = partial(_place, self._catalogue, chosen, offsets)
        check_time(time, offsets, place)
        check_physical(physical, self.physical_names, place)
        abundance = judged(abundance, place)
        ids = tuple(self.tracer_ids[tracer] for tracer in chosen)
        return self._aligned(TracerBlock(time, physical, abundance, offsets, ids), place)

    def _checked(self, abundance: np.ndarray, place: Place) -> np.ndarray:
        """Return abundances as float64, or refuse them."""
        values = abundance.astype(np.float64)
        if clipped := clip_abundance(values, self.species, place):
            _log.info("%d abundances between -1e-20 and 0 were set to 0", clipped)
        return values

    def _aligned(self, block: TracerBlock, place: partial[str]) -> TracerBlock:
        """Prepend the initial row and move the parameters to the start of their steps, as configured."""
        time, physical, abundance, offsets = block.time, block.physical, block.abundance, block.offsets
        if self._initial is not None:
            for row in offsets[:-1][time[offsets[:-1]] <= 0.0]:
                raise DataError(
                    f"{place(row)}: the tracer begins at time {time[row]:g}, so it has its initial row",
                    hint="set data_set.prepend_initial = false",
                )
            time = insert_rows(time, offsets, 0.0)
            physical = insert_rows(physical, offsets, physical[offsets[:-1]])
            abundance = insert_rows(abundance, offsets, self._initial[: abundance.shape[1]])
            offsets = offsets + np.arange(len(offsets))
        if self._conventions.at_end:
            physical = parameters_to_start(physical, offsets)
        return TracerBlock(time, physical, abundance, offsets, block.tracer_ids)

    def _table(
        self, catalogue: Catalogue, tracers: Sequence[int] | np.ndarray, n_species: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the unchecked rows of tracers: time and parameters, and the first `n_species` species."""
        pieces = [self._conventions.read(run, n_species) for run in catalogue.runs(tracers)]
        if len(pieces) == 1:
            return pieces[0]
        if not pieces:
            return np.empty((0, 1 + len(self.physical_names))), np.empty((0, n_species))
        conditions, abundances = zip(*pieces, strict=True)
        return np.concatenate(conditions), np.concatenate(abundances)

    def _without_nan(self, catalogue: Catalogue) -> Catalogue:
        """Read everything once and leave out the tracers with a value that is not finite."""
        keep = np.ones(len(catalogue.ids), dtype=bool)
        for group in tracer_groups(catalogue.lengths, self.n_columns):
            conditions, abundance = self._table(catalogue, group, len(self.species))
            finite = np.isfinite(conditions).all(axis=1) & np.isfinite(abundance).all(axis=1)
            first_rows = np.concatenate([[0], np.cumsum(catalogue.lengths[group])[:-1]])
            keep[group] = np.logical_and.reduceat(finite, first_rows)
        if not keep.all():
            dropped = [tracer for tracer, kept in zip(catalogue.ids, keep, strict=True) if not kept]
            _log.warning(
                "left out %d of %d tracers with NaN: %s", len(dropped), len(keep), ", ".join(dropped[:10])
            )
        if not keep.any():
            raise DataError(
                f"{catalogue.parts[0].source.where}: every tracer holds a NaN", hint="check the table"
            )
        return catalogue.chosen(keep)


def _data_path(config: ConfigDict) -> Path:
    path = config["data_set"]["path"] or config["general"]["data_dir"]
    if path is False:
        raise ConfigError(
            "data_set.path and general.data_dir are not set and there are no simulated tracers to read",
            hint='run `chemnet simulate`, or set data_set.path = "tracers.h5" or a folder',
        )
    return Path(path).expanduser()


def _of_agreed_length(catalogue: Catalogue, mode: str) -> Catalogue:
    """Apply `data_set.unequal_length`."""
    shortest, longest = int(catalogue.lengths.min()), int(catalogue.lengths.max())
    if shortest == longest or mode == "keep":
        return catalogue
    if mode == "truncate":
        shortened = int((catalogue.lengths > shortest).sum())
        _log.warning("cut %d of %d tracers down to %d rows", shortened, len(catalogue.ids), shortest)
        return catalogue.truncated(shortest)
    short, long = (
        catalogue.ids[int(np.argmax(catalogue.lengths == length))] for length in (shortest, longest)
    )
    raise DataError(
        f"{catalogue.parts[0].source.where}: tracers of unequal length: "
        f"tracer '{short}' has {shortest} rows, tracer '{long}' has {longest}",
        hint='set data_set.unequal_length to "truncate" (all as short as the shortest) or "keep"',
    )


def _unchecked(abundance: np.ndarray, place: Place) -> np.ndarray:
    return abundance


def _place(catalogue: Catalogue, tracers: np.ndarray, offsets: np.ndarray, row: int) -> str:
    tracer = int(np.searchsorted(offsets, row, side="right")) - 1
    return catalogue.place(int(tracers[tracer]), int(row - offsets[tracer]))
