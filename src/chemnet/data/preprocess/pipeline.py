"""From raw tracers to the files of a preprocess result, streamed in blocks of whole tracers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from chemnet.chemistry.network.stoichiometry import element_names, stoichiometric_matrix
from chemnet.config import ConfigDict
from chemnet.data.block_reader import BlockReader
from chemnet.data.chem_dataset import ChemDataset, TracerBlock, tracer_groups
from chemnet.data.preprocess.abundance_plausibility import check_plausible, understand
from chemnet.data.preprocess.method import Labels, PreprocessingMethod
from chemnet.data.preprocess.parameter_survey import Survey, survey
from chemnet.data.preprocess.split_labels import SPLIT_FILE_NAME, SPLIT_NAMES
from chemnet.data.preprocess.split_writer import Rows, SplitLayout, SplitWriter
from chemnet.data.scaling import AbundanceScaling, PhysicalScaling
from chemnet.data.value_checks import check_physical, check_time, clip_abundance
from chemnet.errors import DataError, suggest
from chemnet.progress import get_logger, progress
from chemnet.registry import PREPROCESSING
from chemnet.workers import Threads, open_workers

METADATA_FILE = "metadata.json"
STOICHIOMETRY_FILE = "stoichiometry.npy"
_log = get_logger(__name__)
_COMPRESSIONS = {"none": None, "lzf": "lzf", "gzip": "gzip"}


def preprocess(dataset: ChemDataset, config: ConfigDict, folder: Path) -> dict[str, Any]:
    """Split, scale and write a data set.

    The conditions are read once for the ranges of the training split, then everything once, block by block; a
    thread, or the workers of ``general.dask``, read the next blocks while one is scaled and written.

    Parameters
    ----------
    dataset
        The raw tracers.
    config
        The whole configuration; `[preprocess]`, the seed and ``general.dask`` are used.
    folder
        Directory for `train.h5`, `validate.h5`, `test.h5`, `metadata.json`, `stoichiometry.npy` and
        `splits.json`.

    Returns
    -------
    dict
        The content of `metadata.json`.

    Raises
    ------
    DataError
        For values that no tracer can have, and for splits or windows that the data does not allow.
    """
    method = PREPROCESSING.get(config["preprocess"]["method"])(config, dataset)
    # one thread reads a block while another block is worked on: more would only fill memory
    with open_workers(config, lambda: Threads(1, waiting=0)) as workers:
        return _preprocess(dataset, config, folder, method, BlockReader(dataset, workers))


def _preprocess(
    dataset: ChemDataset, config: ConfigDict, folder: Path, method: PreprocessingMethod, reader: BlockReader
) -> dict[str, Any]:
    seen = survey(dataset, method.labels, reader)
    understood = understand(dataset)
    check_plausible(dataset, seen, understood, config)
    layout = SplitLayout(
        abundance_scaling=AbundanceScaling(config["preprocess"]["abundance_floor"]),
        physical_scaling=_physical_scaling(dataset, config, seen),
        n_species=len(dataset.species),
        n_physical=len(dataset.physical_names),
        tracer_ids=list(dataset.tracer_ids),
        compression=_COMPRESSIONS[config["preprocess"]["compression"]],
    )
    writers = _write_splits(dataset, method, layout, folder, reader)
    metadata = _metadata(dataset, config, method, layout, seen, writers) | understood.to_dict()
    method.write_split_file(folder / SPLIT_FILE_NAME)
    np.save(folder / STOICHIOMETRY_FILE, stoichiometric_matrix(dataset.species))
    (folder / METADATA_FILE).write_text(json.dumps(metadata, indent=1), encoding="utf-8")
    return metadata


def _physical_scaling(dataset: ChemDataset, config: ConfigDict, seen: Survey) -> PhysicalScaling:
    """Return the scaling by the range of the training split, or by that of ``preprocess.physical_ranges``."""
    scaling = PhysicalScaling.from_range(*(limits.tolist() for limits in seen.range_of("train")))
    low, high = list(scaling.minimum), list(scaling.maximum)
    for name, limits in config["preprocess"]["physical_ranges"].items():
        if name not in dataset.physical_names:
            raise DataError(
                f"preprocess.physical_ranges names {name!r}, which is no physical parameter",
                hint=suggest(name, dataset.physical_names),
            )
        if len(limits) != 2:
            raise DataError(f"preprocess.physical_ranges.{name} = {limits}", hint="give [least, largest]")
        column = dataset.physical_names.index(name)
        if limits[0] > low[column] or limits[1] < high[column]:
            _log.warning(
                "preprocess.physical_ranges.%s = %s leaves out values of the training split, %.3g to %.3g: "
                "they are scaled to below 0 or above 1",
                name,
                list(limits),
                low[column],
                high[column],
            )
        low[column], high[column] = limits
    return PhysicalScaling(tuple(low), tuple(high))


def _write_splits(
    dataset: ChemDataset,
    method: PreprocessingMethod,
    layout: SplitLayout,
    folder: Path,
    reader: BlockReader,
) -> list[SplitWriter]:
    tracers = method.labels.tracers
    groups = [tracers[group].tolist() for group in tracer_groups(dataset.lengths[tracers], dataset.n_columns)]
    with ExitStack() as on_error:
        writers = []
        for split in SPLIT_NAMES:
            writers.append(method.writer(split, folder / f"{split}.h5", layout))
            on_error.callback(writers[-1].discard)
        bar = progress(total=int(dataset.lengths[tracers].sum()), desc="preprocess", unit="row")
        for group, block in zip(groups, reader.blocks(groups), strict=True):
            if not dataset.checks_values:
                _check_conditions(block, dataset)
            if not _append(block, group, method.labels, writers):
                _check_abundances(dataset, group)
            bar.update(block.n_rows)
        bar.close()
        for writer in writers:
            writer.finish()
        on_error.pop_all()
    return writers


def _check_conditions(block: TracerBlock, dataset: ChemDataset) -> None:
    """Hold a data set, a plugin's for one, to the promises of `TracerBlock`."""
    place = partial(_place, dataset, block)
    check_time(block.time, block.offsets, place)
    check_physical(block.physical, dataset.physical_names, place)


def _check_abundances(dataset: ChemDataset, group: Sequence[int]) -> None:
    """Read tracers whose abundances are suspicious once more, and refuse what no tracer can have."""
    block = dataset.read(group)
    if not dataset.checks_values:
        clip_abundance(block.abundance, dataset.species, partial(_place, dataset, block))


def _place(dataset: ChemDataset, block: TracerBlock, row: int) -> str:
    tracer = int(block.tracer_of_row[row])
    step = row - block.offsets[tracer]
    return f"{type(dataset).__name__}: tracer '{block.tracer_ids[tracer]}', step {step}"


def _append(
    block: TracerBlock, tracers: Sequence[int], labels: Labels, writers: Sequence[SplitWriter]
) -> bool:
    """Hand each row of a block to the writer of its split; return whether all abundances are such."""
    numbers, steps = np.asarray(tracers)[block.tracer_of_row], block.steps
    label, sound = labels.of_rows(tracers), True
    for index, writer in enumerate(writers):
        chosen = np.flatnonzero(label == index)
        if len(chosen):
            rows = Rows(block.time, block.physical, block.abundance, numbers, steps, chosen)
            sound &= writer.append(rows)
    return sound


def _metadata(
    dataset: ChemDataset,
    config: ConfigDict,
    method: PreprocessingMethod,
    layout: SplitLayout,
    seen: Survey,
    writers: Sequence[SplitWriter],
) -> dict[str, Any]:
    named = dict(zip(SPLIT_NAMES, writers, strict=True))
    return {
        "species": list(dataset.species),
        "elements": list(element_names(dataset.species)),
        "physical_names": list(dataset.physical_names),
        "scaling": {**layout.abundance_scaling.to_dict(), **layout.physical_scaling.to_dict()},
        "method": method.name,
        **method.metadata(),
        "dataset": config["data_set"]["name"],
        "unread_columns": list(dataset.unread_columns),
        "source_alignment": config["data_set"]["physical_alignment"],
        "data_digest": dataset.digest,
        "observed": seen.to_dict(),
        "counts": {
            name: {"tracers": writer.n_tracers, "rows": writer.n_rows, "windows": writer.n_windows}
            for name, writer in named.items()
        },
        "rows_outside_training_range": {name: writer.rows_outside_range for name, writer in named.items()},
    }
