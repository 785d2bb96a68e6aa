"""`chemnet simulate`: integrate a network along tracers, in parallel and resumably."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chemnet.config import ConfigDict, load_result_config
from chemnet.config.whole_file import write_whole
from chemnet.errors import ResultsError, RunFailedError
from chemnet.progress import get_logger, progress
from chemnet.registry import chem_verb
from chemnet.results import Answer, ResultWriter, VerbResult
from chemnet.results.unfinished_runs import OwnedRun, unfinished
from chemnet.verbs.dry_run import at_the_pace, in_results, plan_answer, refuse_resume
from chemnet.verbs.simulate_plan import make_plan, provenance
from chemnet.verbs.verb import Verb, in_full

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from chemnet.chemistry.simulation.outcomes import FinishedTracers
    from chemnet.chemistry.simulation.plan import SimulationPlan
    from chemnet.data.simulated_set import SimulatedSet

TRACERS_FILE = "tracers.h5"
FAILED_FILE = "failed.json"
PANDAS_FILE = "pandas/tracers.h5"
_FINISHED_FOLDER = "finished"
_PLAN_FILE = "plan.json"
_WORKER_KEYS = ("simulate.workers", "general.dask", "general.dask_workers")
_log = get_logger(__name__)


class SimulateResult(VerbResult):
    """Simulated tracers."""

    verb = "simulate"

    @property
    def tracers_file(self) -> Path:
        """The set in chemnet's layout."""
        return self.directory.file(TRACERS_FILE)

    @property
    def failed(self) -> list[dict[str, Any]]:
        """What was left out: index, tracer_id, family and reason of each."""
        return json.loads(self.directory.file(FAILED_FILE).read_text(encoding="utf-8"))

    def open(self) -> SimulatedSet:
        """Open the set for reading."""
        from chemnet.data.simulated_set import SimulatedSet

        return SimulatedSet(self.tracers_file)

    def plot(self) -> Figure:
        """Draw the physical parameters and a few species along some tracers."""
        from chemnet.plots.tracer_figures import draw_simulated

        with self.open() as simulated:
            return draw_simulated(simulated)


@chem_verb
class Simulate(Verb[SimulateResult]):
    """Make tracers, integrate the chemistry along them and store both."""

    cli_name = "simulate"
    description = "integrate a chemical network along tracers: the truth that surrogates learn from"
    tables = ("simulate", "data_set")
    examples = (
        "chemnet simulate simulate.n_tracers=64 simulate.n_steps=100",
        "chemnet simulate simulate.cloud=hot_core simulate.uclchem.points=8",
    )

    def run(
        self,
        network: str | None = None,
        n_tracers: int | None = None,
        tracers: str | None = None,
        resume: str | None = None,
        cloud: str | None = None,
    ) -> SimulateResult:
        """Integrate and return the set.

        Parameters
        ----------
        network
            Name of a shipped network, or a file or folder; as `simulate.network`.
        n_tracers
            How many tracers to generate; as `simulate.n_tracers`.
        tracers
            A file with your own tracers instead; as `simulate.tracers`.
        resume
            ``"latest"``, or the path or name of an unfinished run to resume; as `simulate.resume`.
        cloud
            One of UCLCHEM's standard models instead; as `simulate.cloud`.

        Raises
        ------
        ChemNetError
            A network, tracer or abundance that cannot be used; RunFailedError when no tracer could be
            integrated.
        """
        config = self._settled(
            network=network, n_tracers=n_tracers, tracers=tracers, resume=resume, cloud=cloud
        )
        unfinished_run = _unfinished_run(config)
        if unfinished_run is not None:
            config = _config_of(unfinished_run.path, config)
        plan = make_plan(config)
        keep = unfinished_run is not None
        with ResultWriter(config, verb="simulate", resume=unfinished_run, keep_on_error=keep) as writer:
            _check_same_plan(writer.path, plan)
            if not (writer.path / TRACERS_FILE).is_file():
                _integrate(config, plan, writer)
            _finish(config, writer)
        return SimulateResult(writer.result)

    def plan(self, **given: Any) -> Answer:
        """Return what `run` would read and make of its arguments; nothing is written."""
        config = self._settled(**given)
        refuse_resume(config, "simulate.resume")
        plan, table = make_plan(config), config["simulate"]["tracers"]
        chemistry, rows = plan.network, sum(map(len, plan.tracers))
        counted = f"{len(chemistry.species)} species, {len(chemistry.reactions)} reactions"
        reads = {"simulate.network": f"{config['simulate']['network']}: {counted}"}
        if table is not False:
            reads["simulate.tracers"] = table
        return plan_answer(
            reads,
            in_results(config, "simulate", f"{TRACERS_FILE}, {len(plan.tracers):,} tracers of {rows:,} rows"),
            at_the_pace(
                config, "simulate", "rows", rows, lambda one: one.summary["network"] == chemistry.name
            ),
        )

    def _settled(self, **given: Any) -> ConfigDict:
        """Return the configuration with the arguments of `run`."""
        paths = {key: in_full(given.get(key)) for key in ("network", "tracers")}
        return self.with_arguments("simulate", given | paths)


def _unfinished_run(config: ConfigDict) -> OwnedRun | None:
    """Return the run that `simulate.resume` names, or None."""
    wanted = config["simulate"]["resume"]
    return None if wanted is False else unfinished(config, "simulate", str(wanted))


def _config_of(unfinished_run: Path, config: ConfigDict) -> ConfigDict:
    """Return the configuration that an unfinished run began with; only who works on it is today's."""
    _log.info("resuming %s with its own configuration", unfinished_run.name)
    begun = load_result_config(unfinished_run / "runtime_config.toml")
    return begun.replace({key: config.lookup(key) for key in _WORKER_KEYS})


def _check_same_plan(folder: Path, plan: SimulationPlan) -> None:
    """Note the plan in a new directory; in an old one refuse to mix it with another."""
    path = folder / _PLAN_FILE
    digests = plan.digests()
    if not path.is_file():
        write_whole(path, json.dumps(digests, indent=2))
        return
    begun = json.loads(path.read_text(encoding="utf-8"))
    changed = [part for part, digest in digests.items() if begun.get(part) != digest]
    if changed:
        raise ResultsError(
            f"{folder.name} cannot go on: changed since it began: {', '.join(changed)}",
            hint="bring the old input back, or start afresh without simulate.resume",
        )


def _integrate(config: ConfigDict, plan: SimulationPlan, writer: ResultWriter) -> None:
    """Integrate what is not finished yet, then gather everything in `TRACERS_FILE`."""
    from chemnet.chemistry.simulation.outcomes import FinishedTracers
    from chemnet.chemistry.simulation.simulate import integrate_tracers
    from chemnet.workers import Threads, open_workers, worker_count

    finished = FinishedTracers(writer.path / _FINISHED_FOLDER)
    for index in finished.drop_damaged():
        _log.warning(
            "the outcome of tracer %s is damaged: it is integrated again", plan.tracers[index].tracer_id
        )
    if len(finished):
        _log.info("%d of %d tracers are finished already", len(finished), len(plan.tracers))
    with (
        _kept_once_it_holds_something(writer, finished),
        open_workers(config, lambda: Threads(worker_count(config["simulate"]["workers"]))) as workers,
        _bar(len(plan.tracers), len(finished)) as bar,
    ):
        for outcome in integrate_tracers(plan, finished, workers):
            if outcome.reason:
                _log.warning("tracer %s failed: %s", plan.tracers[outcome.index].tracer_id, outcome.reason)
            bar.update()
    _gather(config, plan, finished, writer.path)


@contextmanager
def _kept_once_it_holds_something(writer: ResultWriter, finished: FinishedTracers) -> Iterator[None]:
    """Leave the hidden directory for a resume if the run breaks off after its first tracer."""
    try:
        yield
    except BaseException:
        writer.keep_on_error = len(finished) > 0
        if writer.keep_on_error:
            _log.warning(
                "stopped with %d tracers finished; to resume: chemnet simulate simulate.resume=latest",
                len(finished),
            )
        raise


def _bar(total: int, done: int) -> Any:
    """Return a progress bar that starts at `done` and estimates from today's pace."""
    bar = progress(total=total, desc="simulate", unit="tracer")
    bar.initial = bar.n = done
    return bar


def _gather(config: ConfigDict, plan: SimulationPlan, finished: FinishedTracers, folder: Path) -> None:
    """Write the finished tracers in order into one file, and why the others failed into another."""
    from chemnet.chemistry.simulation.shielding import shielded_tracer
    from chemnet.data.simulated_set import SimulatedWriter

    outcomes = [(index, finished.load(index).reason) for index in range(len(plan.tracers))]
    failed = [_failure(plan, index, reason) for index, reason in outcomes if reason]
    if len(failed) == len(outcomes):
        raise RunFailedError(
            f"none of {len(failed)} tracers could be integrated; the first: {failed[0]['reason']}",
            hint="loosen simulate.rtol, or look at the network with `chemnet network`",
        )
    (folder / FAILED_FILE).write_text(json.dumps(failed, indent=2), encoding="utf-8")
    good = [index for index, reason in outcomes if not reason]
    hidden = folder / f".{TRACERS_FILE}"
    names = plan.network.species_names
    made_by, parameters = provenance(config, plan), plan.physical_names
    with SimulatedWriter(hidden, names, len(good), plan.longest, made_by, parameters) as writer:
        for index in good:
            outcome = finished.load(index)
            assert outcome.abundances is not None  # none of the failed ones
            tracer = shielded_tracer(plan, index, finished)
            writer.add(tracer, index, outcome.abundances, outcome.statistics)
    hidden.replace(folder / TRACERS_FILE)


def _failure(plan: SimulationPlan, index: int, reason: str) -> dict[str, Any]:
    """Return what `failed.json` keeps of a tracer."""
    tracer = plan.tracers[index]
    return {"index": index, "tracer_id": tracer.tracer_id, "family": tracer.family, "reason": reason}


def _finish(config: ConfigDict, writer: ResultWriter) -> None:
    """Add table and figure, drop what only a resume needs, and sum up."""
    from chemnet.data.pandas_writer import write_pandas_layout
    from chemnet.data.simulated_set import SimulatedSet
    from chemnet.figure_style import save_figure
    from chemnet.plots.tracer_figures import draw_simulated

    failed = json.loads((writer.path / FAILED_FILE).read_text(encoding="utf-8"))
    with SimulatedSet(writer.path / TRACERS_FILE) as simulated:
        if config["simulate"]["pandas_layout"]:
            (writer.path / PANDAS_FILE).parent.mkdir(exist_ok=True)
            write_pandas_layout(simulated, writer.path / PANDAS_FILE)
        save_figure(draw_simulated(simulated), writer.path / "tracers.png", config)
        writer.summary |= {
            "network": str(simulated.provenance["network"]),
            "species": len(simulated.species),
            "tracers": len(simulated),
            "rows": simulated.n_rows,
            "failed": len(failed),
        }
    shutil.rmtree(writer.path / _FINISHED_FOLDER, ignore_errors=True)
