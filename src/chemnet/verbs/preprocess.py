"""`chemnet preprocess`: raw tracers become scaled train, validate and test splits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from chemnet.config import ConfigDict
from chemnet.errors import DataError
from chemnet.registry import DATASETS, PREPROCESSING, chem_verb
from chemnet.results import Answer, ResultDirectory, ResultWriter, VerbResult, Wanted, newest_input
from chemnet.verbs.dry_run import at_the_pace, in_results, plan_answer
from chemnet.verbs.verb import Verb

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from chemnet.data.chem_dataset import ChemDataset
    from chemnet.data.preprocessed import PreprocessedData


class PreprocessResult(VerbResult):
    """Splits of tracers, ready to train on."""

    verb = "preprocess"

    @property
    def data(self) -> PreprocessedData:
        """The splits, with their scalings and names."""
        from chemnet.data.preprocessed import PreprocessedData

        return PreprocessedData(self.directory)

    def plot(self) -> Figure:
        """Return histograms of the physical parameters in each split: what the training data covers."""
        from chemnet.plots.split_coverage import draw_coverage

        return draw_coverage(self.data)


@chem_verb
class Preprocess(Verb[PreprocessResult]):
    """Read raw tracers, split them, scale them and write the splits."""

    cli_name = "preprocess"
    description = "turn raw tracers into scaled train, validate and test splits"
    inputs: ClassVar = {"data_set.path": "simulate"}
    tables = ("preprocess", "data_set")
    examples = (
        "chemnet preprocess data_set.path=tracers.h5",
        "chemnet preprocess preprocess.method=timeless",
    )

    def run(self, path: str | None = None) -> PreprocessResult:
        """Preprocess the data set that ``[data_set]`` describes.

        Parameters
        ----------
        path
            The table to read; wins over ``data_set.path``.

        Raises
        ------
        DataError
            Naming the file, row and column of what is wrong with the data; no result is left.
        """
        config, parents, dataset = self._opened(path)
        with ResultWriter(config, verb=self.cli_name, parents=parents) as writer:
            _fill(writer, dataset)
        return PreprocessResult(writer.result)

    def plan(self, path: str | None = None) -> Answer:
        """Return what `run` would read and make; nothing is written."""
        config, _, dataset = self._opened(path)
        rows = int(dataset.lengths.sum())
        table = config["data_set"]["path"] or config["data_set"]["name"]
        counted = f"{len(dataset.tracer_ids):,} tracers, {rows:,} rows, {len(dataset.species)} species"
        return plan_answer(
            reads={"data_set.path": f"{table}: {counted}"},
            makes=in_results(config, self.cli_name, "train.h5, validate.h5, test.h5 and their scalings"),
            takes=at_the_pace(config, self.cli_name, "rows", rows),
        )

    def _opened(self, path: str | None) -> tuple[ConfigDict, dict[str, ResultDirectory], ChemDataset]:
        """Return the configuration that names the table, the result that it is from, and the data set."""
        config = self.config if path is None else self.config.replace({"data_set.path": str(path)})
        config, parents = with_table(config)
        if config["preprocess"]["method"] not in PREPROCESSING:
            PREPROCESSING.get(config["preprocess"]["method"])  # a plugin's; an unknown one stops here
        # what is wrong with the data set is told before the methods, and with them Numba, are imported
        return config, parents, DATASETS.get(config["data_set"]["name"])(config)

    def run_as_part(self, whole: ResultDirectory, component: str, status: str) -> PreprocessResult:
        """Preprocess as configured the tracers of another result, for one training of a study.

        Parameters
        ----------
        whole
            The other result.
        component
            Name that this one is found by.
        status
            Its status, instead of ``"done"``.

        Raises
        ------
        DataError
            When the tracers are no longer those of the other result.
        """
        from chemnet.data.preprocessed import PreprocessedData

        dataset = DATASETS.get(self.config["data_set"]["name"])(self.config)
        if dataset.digest != PreprocessedData(whole).digest:
            raise DataError(
                f"{self.config['data_set']['path']}: the tracers have changed since {whole.name} was made",
                hint="run `chemnet preprocess` again",
            )
        parents = {"preprocess": whole, **{role: whole.parent(role) for role in whole.parents}}
        with ResultWriter(self.config, self.cli_name, component, parents) as writer:
            _fill(writer, dataset)
            writer.finish(status)
        return PreprocessResult(writer.result)


def _fill(writer: ResultWriter, dataset: ChemDataset) -> None:
    """Write the splits, and what was understood of the data."""
    from chemnet.data.preprocess.pipeline import preprocess

    writer.summary.update(_summary(preprocess(dataset, writer.config, writer.path)))


def with_table(config: ConfigDict) -> tuple[ConfigDict, dict[str, ResultDirectory]]:
    """Return a configuration that names the table to read, and the result of `simulate` that holds it.

    Where ``data_set.path`` names none it is that of ``general.data_dir``, or of the newest `simulate`.
    """
    data_dir = config["general"]["data_dir"]
    if config["data_set"]["path"] is False and data_dir is not False:
        config = config.replace({"data_set.path": data_dir})
    simulated = _newest_simulated(config)
    if simulated is None:
        return config, {}
    return config.replace({"data_set.path": str(simulated.file("tracers.h5"))}), {"simulate": simulated}


def _newest_simulated(config: ConfigDict) -> ResultDirectory | None:
    """Return the newest result of `simulate` that the configuration means where it names no table."""
    options = config["data_set"]
    if options["path"] is not False or options["name"] != "TracerTable":
        return None
    found = newest_input(config, "data_set.path", Wanted("simulate"))
    if found is not None:
        found.announce("data_set.path")
    return None if found is None else found.result


def _summary(metadata: dict[str, Any]) -> dict[str, Any]:
    """Return what was understood of the data, in the few values that are printed."""
    scaling = metadata["scaling"]
    ranges = zip(metadata["physical_names"], scaling["physical_min"], scaling["physical_max"], strict=True)
    counts = metadata["counts"].values()
    summary = {
        "tracers": sum(count["tracers"] for count in counts),
        "rows": sum(count["rows"] for count in counts),
        "time": _time(metadata["observed"]),
        "species": len(metadata["species"]),
        "totals_per_H": ", ".join(
            f"{name} {_range(*total[::2])}" for name, total in metadata["totals"].items()
        ),
        "charge_per_H": _range(*metadata["charge"]),
        "method": metadata["method"],
        **{name: _with_unit(_range(low, high), name) for name, low, high in ranges},
    }
    if metadata["unread_columns"]:
        summary["left_out"] = ", ".join(metadata["unread_columns"])
    if metadata["window"]:
        summary["window"] = (
            f"{metadata['window']} rows, {metadata['horizon']} predicted, stride {metadata['stride']}"
        )
    for name, counts in metadata["counts"].items():
        outside = metadata["rows_outside_training_range"][name]
        words = [f"{counts[unit]} {unit}" for unit in ("tracers", "rows", "windows") if counts[unit]]
        summary[name] = ", ".join(words) + (f" ({outside} outside the training range)" if outside else "")
    return summary


def _time(observed: dict[str, Any]) -> str:
    """Return how long tracers last and how long their steps are."""
    if observed["time_step"] is None:
        return "single rows"
    return f"{observed['time_span']:.4g} yr at most, in steps of {_range(*observed['time_step'])} yr"


def _range(low: float, high: float) -> str:
    """Return a range as text; one number where that says it to three figures."""
    words = [f"{low:.3g}", f"{high:.3g}"]
    return " .. ".join(dict.fromkeys(words))


def _with_unit(text: str, name: str) -> str:
    """Return values of a parameter with its unit, where that is known."""
    from chemnet.data.parameter_units import plain_unit

    return f"{text} {plain_unit(name)}".rstrip()
