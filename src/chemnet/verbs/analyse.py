"""`chemnet analyse`: which reactions form and destroy a species along a tracer."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chemnet.config import ConfigDict
from chemnet.errors import DataError, NotFoundError, ResultsError, suggest
from chemnet.progress import get_logger
from chemnet.registry import chem_verb
from chemnet.results import Answer, ResultDirectory, ResultWriter, VerbResult
from chemnet.results.result_names import (
    names_and_components,
    newest_of_component,
    result_folder,
    suggest_result,
)
from chemnet.results.verb_inputs import resolve_input
from chemnet.verbs.dry_run import SECONDS, in_results, plan_answer
from chemnet.verbs.verb import Verb

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from chemnet.chemistry.solver.species_budget import SpeciesBudget
    from chemnet.evaluation.tracer_states import TracerStates

BUDGETS_FILE = "budgets.npz"
_READ = ("simulate", "infer")
_TOLD = 5e-4  # share below which a reaction is counted, not listed
_log = get_logger(__name__)


class AnalyseResult(VerbResult):
    """What forms and destroys some species along one tracer."""

    verb = "analyse"

    @property
    def budgets(self) -> dict[str, SpeciesBudget]:
        """The budget of each species, by the name that was asked for."""
        return self._budgets("states")

    @property
    def true_budgets(self) -> dict[str, SpeciesBudget]:
        """The same of the truth, where the states are a surrogate's; else empty."""
        return self._budgets("truth")

    def _budgets(self, of: str) -> dict[str, SpeciesBudget]:
        """Read the budgets of the states, or of the truth."""
        import numpy as np

        from chemnet.chemistry.solver.species_budget import SpeciesBudget

        with np.load(self.directory.file(BUDGETS_FILE), allow_pickle=False) as held:
            count = len(held["species"]) if f"{of}_0_fluxes" in held else 0
            return {
                str(name): SpeciesBudget(
                    str(name),
                    held["time"],
                    held[f"{of}_{i}_abundance"],
                    tuple(str(one) for one in held[f"{of}_{i}_reactions"]),
                    held[f"{of}_{i}_fluxes"],
                    held[f"{of}_{i}_derivative"],
                    held[f"{of}_{i}_turnover"],
                )
                for i, name in enumerate(held["species"][:count])
            }

    def plot(self, species: str | None = None) -> Figure:
        """Draw abundance and fluxes of one species against time; by default of the first.

        Raises
        ------
        NotFoundError
            The result is about other species.
        """
        from chemnet.plots.budget_figures import draw_budget

        budgets = self.budgets
        name = next(iter(budgets)) if species is None else species
        if name not in budgets:
            raise NotFoundError(f"this result is not about {name!r}", hint=suggest(name, budgets))
        return draw_budget(budgets[name], self.true_budgets.get(name), self._most)

    @property
    def _most(self) -> int:
        return int(self.directory.config["analyse"]["reactions"])

    def to_dict(self) -> dict[str, Any]:
        """Return what ``--json`` prints: the base entries, and the reactions of each species with shares."""
        return super().to_dict() | {"species": {name: _shares(one) for name, one in self.budgets.items()}}

    def __str__(self) -> str:
        truth = self.true_budgets
        parts = [
            line
            for name, one in self.budgets.items()
            for line in [*_lines(one, self._most), *_against(one, truth.get(name)), ""]
        ]
        return "\n".join([self.summary["what"], "", *parts, f"result  {self.path}"])


@chem_verb
class Analyse(Verb[AnalyseResult]):
    """Say which reactions form and destroy some species along a tracer, simulated or predicted."""

    cli_name = "analyse"
    description = "which reactions form and destroy a species along a tracer"
    tables = ("analyse", "network")
    examples = (
        "chemnet analyse simulate CO '$H2O'         # the first tracer of the newest simulation",
        "chemnet analyse emulator CO --tracer 7     # a surrogate's states beside the truth",
        "chemnet analyse 20260101-120000-simulate-abcd HCO+ --step 40",
    )

    @staticmethod
    def setup_parser(parser: argparse.ArgumentParser) -> None:
        """Take the result and the species as bare words."""
        parser.add_argument(
            "result",
            nargs="?",
            metavar="RESULT",
            help="result of `simulate` or `infer`: path, name, component, or the verb for its newest result",
        )
        parser.add_argument("species", nargs="*", metavar="SPECIES", help="names, '$H2O' for all ice of H2O")
        parser.add_argument("--tracer", metavar="ID", help="the tracer; the first by default")
        parser.add_argument("--step", metavar="N", type=int, help="one row alone, counted from 0")

    def run(
        self,
        result: str | Path | None = None,
        species: str | Sequence[str] | None = None,
        tracer: str | None = None,
        step: int | None = None,
    ) -> AnalyseResult:
        """Analyse and write the result.

        Parameters
        ----------
        result
            Result of `simulate`, or of `infer` with predicted abundances; wins over ``analyse.result``.
        species
            One name or several; as ``analyse.species``.
        tracer
            Id of the tracer; None: the first.
        step
            The row to look at alone; None: all of them.

        Raises
        ------
        ResultsError
            No such result, or its network is not at hand.
        DataError
            No species is named, the network has no such species, or the tracer no such row.
        """
        config = self._settled(result, species)
        from chemnet.evaluation.tracer_states import states_of

        read = _result(config)
        states = states_of(read, tracer, config)
        budgets = _budgets(states, states.abundances, config, step)
        truth = None if states.truth is None else _budgets(states, states.truth, config, step)
        with ResultWriter(config, verb="analyse", parents={read.verb: read}) as writer:
            _write(writer, budgets, truth, config["analyse"]["reactions"])
            writer.summary["what"] = _what(states, read, step)
            writer.summary |= {f"residual {one.species}": one.residual for one in budgets}
        return AnalyseResult(writer.result)

    def plan(
        self,
        result: str | Path | None = None,
        species: str | Sequence[str] | None = None,
        tracer: str | None = None,
        step: int | None = None,
    ) -> Answer:
        """Return what `run` would read and make; nothing is written."""
        config = self._settled(result, species)
        names = ", ".join(config["analyse"]["species"])
        return plan_answer(
            {"analyse.result": _result(config).path, "tracer": "the first" if tracer is None else tracer},
            in_results(config, "analyse", f"fluxes and pictures of {names}"),
            SECONDS,
        )

    def _settled(self, result: str | Path | None, species: str | Sequence[str] | None) -> ConfigDict:
        """Return the configuration with the arguments of `run`; a species must be named."""
        chosen = [species] if isinstance(species, str) else species and list(species)
        config = self.with_arguments("analyse", {"result": result, "species": chosen or None})
        if not config["analyse"]["species"]:
            raise DataError("no species is named", hint="chemnet analyse RESULT CO '$H2O'")
        return config


def _result(config: ConfigDict) -> ResultDirectory:
    """Return the result that is asked for: by path, name, component, or as the newest of a verb."""
    wanted, results_dir = str(config["analyse"]["result"] or "simulate"), config["general"]["results_dir"]
    if wanted in _READ and result_folder(results_dir, wanted) is None:
        return resolve_input(config.replace({"analyse.result": False}), "analyse.result", wanted)
    folder = result_folder(results_dir, wanted)
    found = ResultDirectory.open(folder) if folder else newest_of_component(results_dir, "infer", wanted)
    if found is None:
        names, components = names_and_components(results_dir, *_READ)
        raise ResultsError(
            f"analyse.result = {wanted!r}: no such path, result or component",
            hint=suggest_result(wanted, names, {*components, *_READ}),
        )
    found.verify(every_byte=False)
    _log.info("analyse.result: using %s", found.name)
    return found


def _budgets(
    states: TracerStates, abundances: Any, config: ConfigDict, step: int | None
) -> list[SpeciesBudget]:
    """Return the budget of each species that is asked for, at one row or all."""
    from chemnet.chemistry.solver.species_budget import species_budget

    rows = len(states.abundances)
    if step is not None and not -rows <= step < rows:
        raise DataError(f"tracer {states.tracer!r} has no row {step}", hint=f"it has rows 0 to {rows - 1}")
    found = [
        species_budget(
            states.network,
            states.history,
            abundances,
            name,
            uclchem_compatible=states.uclchem_compatible,
        )
        for name in config["analyse"]["species"]
    ]
    return found if step is None else [one.at(step) for one in found]


def _what(states: TracerStates, read: ResultDirectory, step: int | None) -> str:
    """Return the heading: which states these are."""
    time = states.history["time"]
    when = (
        f"{len(time)} rows, {time[0]:.4g} to {time[-1]:.4g} yr"
        if step is None
        else f"row {step}, {time[step]:.4g} yr"
    )
    kind = "as solved" if states.truth is None else "as predicted"
    return f"tracer {states.tracer} of {read.name} {kind}: {when}; network {states.network.name}"


def _write(
    writer: ResultWriter,
    budgets: Sequence[SpeciesBudget],
    truth: Sequence[SpeciesBudget] | None,
    most: int,
) -> None:
    import numpy as np

    from chemnet.figure_style import save_figure
    from chemnet.plots.budget_figures import draw_budget, draw_routes
    from chemnet.plots.network_graph import plain_name

    arrays: dict[str, Any] = {"species": [one.species for one in budgets], "time": budgets[0].time}
    for of, some in (("states", budgets), ("truth", truth or ())):
        for i, one in enumerate(some):
            arrays |= {
                f"{of}_{i}_{name}": getattr(one, name)
                for name in ("abundance", "reactions", "fluxes", "derivative", "turnover")
            }
    np.savez(writer.path / BUDGETS_FILE, **arrays)
    for i, one in enumerate(budgets):
        name = plain_name(one.species)
        save_figure(draw_routes(one), writer.path / f"routes_{name}.png", writer.config)
        if len(one.time) > 1:
            over_time = draw_budget(one, truth[i] if truth else None, most)
            save_figure(over_time, writer.path / f"budget_{name}.png", writer.config)


def _lines(budget: SpeciesBudget, most: int) -> list[str]:
    """Return the table of one species: its main reactions on each side, with their shares."""
    lines = [f"{budget.species}  [s^-1 per H nucleus, mean over the rows]"]
    for share, total, side in zip(
        budget.shares(), (budget.formation, budget.destruction), ("formation", "destruction"), strict=True
    ):
        lines.append(f"  {side} {total.mean():.3e}")
        order = sorted(range(len(share)), key=lambda i: -share[i])[:most]
        lines += [f"    {100 * share[i]:5.1f} %  {budget.reactions[i]}" for i in order if share[i] >= _TOLD]
        left = int((share > 0.0).sum() - (share[order] >= _TOLD).sum())
        lines += [f"             and {left} more"] if left > 0 else []
    lines.append(
        f"  all {len(budget.reactions)} fluxes add up to dx/dt = {budget.derivative.mean():.3e}, to "
        f"{budget.residual:.0e} of all that forms and destroys it"
    )
    return lines


def _against(budget: SpeciesBudget, truth: SpeciesBudget | None) -> list[str]:
    """Return how far from its own balance a species is, in a surrogate's states and in the truth."""
    import numpy as np

    if truth is None or not all(np.isfinite(one.imbalance).any() for one in (budget, truth)):
        return []
    ours, theirs = (float(np.nanmean(np.abs(one.imbalance))) for one in (budget, truth))
    return [
        f"  formation and destruction differ by {ours:.3f} dex in the mean in these states, by {theirs:.3f} "
        "in the truth"
    ]


def _shares(budget: SpeciesBudget) -> dict[str, Any]:
    """Return a budget as plain values."""
    formation, destruction = budget.shares()
    return {
        "formation": float(budget.formation.mean()),
        "destruction": float(budget.destruction.mean()),
        "residual": budget.residual,
        "reactions": {
            name: {"formation": float(made), "destruction": float(lost)}
            for name, made, lost in zip(budget.reactions, formation, destruction, strict=True)
        },
    }
