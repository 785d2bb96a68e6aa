"""What each figure of chemnet means: its unit and a sentence, for `chemnet explain`, reports and pictures."""

from __future__ import annotations

from dataclasses import dataclass

from chemnet.errors import NotFoundError, nearest


@dataclass(frozen=True)
class Meaning:
    """A figure, or a way to predict, in words.

    Parameters
    ----------
    name
        As it stands in files.
    heading
        As tables and legends call it, in few words.
    unit
        Its unit; empty for a pure number.
    text
        What it is.
    better
        ``"lower"``, ``"higher"``, or empty where neither is.
    """

    name: str
    heading: str
    unit: str
    text: str
    better: str = "lower"

    @property
    def label(self) -> str:
        """Heading and unit, as an axis is labelled."""
        return f"{self.heading} [{self.unit}]" if self.unit else self.heading

    def __str__(self) -> str:
        wish = f"\n  {self.better} is better" if self.better else ""
        return f"{self.name}: {self.label}\n  {self.text}{wish}"


_ERRORS = (
    Meaning(
        "mlae", "mLAE", "dex",
        "Mean over all states and species of |log10 predicted - log10 true|, both clipped at "
        "benchmark.floor. "
        "0.1 dex is 26 %, 0.3 dex a factor of two.",
    ),
    Meaning(
        "lae99", "LAE99", "dex",
        "99th percentile of |log10 predicted - log10 true|: one value in a hundred is off by more.",
    ),
    Meaning(
        "mlae_visible", "mLAE visible", "dex",
        "The mean error of the values that are truly above benchmark.visible (1e-14 unless set): what a "
        "telescope can detect.",
    ),
    Meaning(
        "lae99_visible", "LAE99 visible", "dex",
        "The 99th percentile of the error of the values that are truly above benchmark.visible.",
    ),
    Meaning(
        "mlae_abundant", "mLAE abundant", "dex",
        "The mean error of the values that are truly above benchmark.abundant (1e-8 unless set): what heats, "
        "cools and carries the mass.",
    ),
    Meaning(
        "lae99_abundant", "LAE99 abundant", "dex",
        "The 99th percentile of the error of the values that are truly above benchmark.abundant.",
    ),
    Meaning(
        "mean_relative_error", "relative", "",
        "Mean of |predicted - true| / true, AstroChemNet's metric; it is dominated by species at the floor "
        "that "
        "are predicted too high.",
    ),
    Meaning("step", "step", "dex", "mLAE of all tracers at that step."),
    Meaning(
        "first_step", "first step", "dex",
        "mLAE at step 1, from the tracer's own initial state: usually the largest change of all.",
    ),
    Meaning(
        "worst_tracer", "worst tracer", "dex",
        "The tracer with the largest mLAE: its name, or its mLAE where the column holds errors.",
    ),
    Meaning("tracer_mlae", "its mLAE", "dex", "The mean error along the worst tracer."),
    Meaning(
        "solver_share", "by the solver", "", "Share of the rows that a solver computed for the surrogate.",
        "",
    ),
)  # fmt: skip
_STUDIES = (
    Meaning(
        "mae", "MAE", "per H nucleus",
        "Mean of |predicted - true|, as the CODES benchmark publishes it; the most abundant species rule it.",
    ),
    Meaning(
        "rmse", "RMSE", "per H nucleus",
        "Root of the mean of (predicted - true) squared; the MSE of the CODES benchmark is its square.",
    ),
    Meaning(
        "mre", "MRE", "",
        "Mean of |predicted - true| / true, a true value below study.relative_threshold counting as that.",
    ),
    Meaning(
        "rmse_log", "RMSE (log)", "dex",
        "Root of the mean of (log10 predicted - log10 true) squared, both clipped at benchmark.floor.",
    ),
    Meaning(
        "uncertainty", "Mean Log Uncertainty", "dex",
        "Mean standard deviation of the logarithms that the members of a deep ensemble predict.", "",
    ),
    Meaning(
        "correlation", "UQ-Error PCC", "",
        "Pearson's correlation between the spread of a deep ensemble and the error of its mean: 1 where the "
        "spread tells the error.",
        "higher",
    ),
)  # fmt: skip
_PHYSICS = (
    Meaning(
        "element_drift", "element drift", "",
        "Largest |n_e / n_e(0) - 1| over cells and steps: how much of an element appears or is lost, which "
        "the equations do not allow.",
    ),
    Meaning(
        "charge_residual", "net charge", "per H nucleus",
        "Largest |E- minus the sum of the charges of all other species|. Some tables do not conserve charge "
        "themselves.",
    ),
    Meaning(
        "not_finite", "not finite", "",
        "Number of states with an abundance that is NaN or infinite: 0 in a surrogate that may be used.",
    ),
    Meaning(
        "drift", "drift", "", "The same as element_drift: the change of an element's total along a rollout.",
    ),
    Meaning("cells", "cells", "", "How many cells were rolled out.", ""),
    Meaning(
        "steps", "steps", "", "How many steps each cell took: ten times as many as the longest tracer.", "",
    ),
    Meaning(
        "abundances", "abundances", "per H nucleus",
        "The smallest and the largest abundance of any species in any cell.", "",
    ),
    Meaning(
        "change", "change per step at the end", "dex",
        "How much log10 abundances still change in the last step, in the mean over cells and species: under "
        "constant parameters a chemistry comes to rest.",
    ),
    Meaning(
        "late_change", "largest beyond the tracers", "dex",
        "The largest mean change per step after the length of the tracers. Far above the change at the end, "
        "it tells of a jump where nothing should move.",
    ),
)  # fmt: skip
_TRUST = (
    Meaning(
        "expected_error", "expected error", "dex",
        "What the surrogate expects to be off in a state, calibrated on tracers that it was not trained on.",
    ),
    Meaning(
        "score", "trust", "",
        "Between 0 and 1: how much of the calibration set was expected to be worse than this state.",
        "higher",
    ),
    Meaning(
        "coverage", "kept by trust", "",
        "Share of the states that are kept when those with the largest expected error are left to the "
        "solver.", "",
    ),
    Meaning(
        "beside_all", "LAE99 beside that of all", "",
        "LAE99 of what is kept over LAE99 of everything: 1 where trust is worth nothing.",
    ),
    Meaning(
        "trusted_80", "LAE99 of the trusted 80 %, beside all", "",
        "LAE99 of the 80 % of the states that are trusted most over that of all states: 1 where trust is "
        "worth "
        "nothing.",
    ),
)  # fmt: skip
_COST = (
    Meaning("setting", "setting", "", "What was chosen: a tolerance, a number of iterations, a share.", ""),
    Meaning("cpu_ms", "CPU ms a step", "ms", "CPU time of all threads per cell and step."),
    Meaning(
        "cell_steps", "cell-steps per s", "s^-1",
        "Cells times steps that one core, or the GPU, does in a second.",
        "higher",
    ),
    Meaning(
        "speed_up", "times the solver", "", "Cell-steps per second over those of the solver on one core.",
        "higher",
    ),
    Meaning(
        "surrogate_1_core", "surrogate, 1 core", "s^-1",
        "Cell-steps per second of whole rollouts on one CPU core.", "higher",
    ),
    Meaning(
        "latent_1_core", "its emulator alone, 1 core", "s^-1",
        "The same of the emulator, without encoding, decoding and conservation.", "higher",
    ),
    Meaning("surrogate_gpu", "surrogate, GPU", "s^-1", "Cell-steps per second on the GPU.", "higher"),
    Meaning(
        "solver_1_core", "solver, 1 core", "s^-1", "Cell-steps per second of the solver on one core.",
        "higher",
    ),
)  # fmt: skip
_METHODS = (
    Meaning(
        "rollout", "surrogate, full rollout", "dex",
        "The surrogate stepped along whole tracers from their first row, each step from its own prediction.",
    ),
    Meaning(
        "rollout_unconserved", "the same without conservation", "dex",
        "The same rollout without keeping each element's total: what the networks alone predict.",
    ),
    Meaning(
        "one_step", "surrogate, one step from the truth", "dex",
        "Single steps, each from a true state: what a step adds, without the errors before it.",
    ),
    Meaning(
        "reconstruction", "autoencoder alone", "dex",
        "True states encoded and decoded again: no rollout can be better.",
    ),
    Meaning(
        "pca", "PCA with as many components", "dex",
        "True states projected onto as many principal components as there are latents: what a linear map "
        "loses.",
    ),
    Meaning(
        "nearest_neighbour", "nearest training state", "dex",
        "The baseline that looks up the most similar training state and takes what followed it.",
    ),
    Meaning(
        "persistence", "persistence: nothing ever changes", "dex",
        "The baseline that predicts no change at all. A surrogate that is worse has learnt nothing.",
    ),
    Meaning(
        "one_step_persistence", "one-step persistence", "dex",
        "The baseline that takes the true state before each step: hard to beat where little happens in one "
        "step.",
    ),
    Meaning(
        "truth", "the truth itself", "", "What the solver, or the code that made the table, computed.", ""
    ),
)  # fmt: skip
_WAYS = (
    Meaning(
        "solver", "solver", "", "The solver at several relative tolerances, from each tracer's first row.",
        "",
    ),
    Meaning(
        "dial", "surrogate, its dial", "",
        "The surrogate at each setting of its accuracy: fast, balanced, exact.", "",
    ),
    Meaning("surrogate", "surrogate", "", "The surrogate as it is loaded.", ""),
    Meaning(
        "iterations", "so many iterations, then the network", "",
        "That many Newton iterations of the rate equations, which the neural network then corrects.", "",
    ),
    Meaning(
        "solver_error", "integrated above an expected error of", "",
        "Steps of which a larger error is expected are integrated by the solver.", "",
    ),
    Meaning(
        "iterations_alone", "iterations without network", "",
        "The Newton iterations alone, without the neural network that corrects them.", "",
    ),
    Meaning(
        "fallback", "Fallback: the solver behind the plain emulator", "",
        "The emulator where it is trusted and the solver elsewhere, at several tolerances.", "",
    ),
)  # fmt: skip
_TRAINING = (
    Meaning("train_loss", "training loss", "", "The loss that the training lowers, on the training tracers."),
    Meaning(
        "validate_loss", "validation loss", "",
        "The training's own loss on the validation tracers; comparable only between trainings of one loss.",
    ),
    Meaning(
        "validate_mlae", "validation mLAE", "dex",
        "The mean error on validation tracers: of one reconstruction (autoencoder) or of the rollout over a "
        "window (emulator). It steers the training; benchmark reports on tracers that did not.",
    ),
    Meaning(
        "validate_lae99", "validation LAE99", "dex",
        "The 99th percentile of the error on validation tracers, as validate_mlae is their mean.",
    ),
    Meaning(
        "validate_mean_relative_error", "validation relative error", "",
        "mean_relative_error on validation tracers; one species that is off by decades makes it millions.",
    ),
    Meaning("lr", "learning rate", "", "The optimiser's learning rate in that epoch.", ""),
    Meaning(
        "train_gradient_norm", "gradient norm", "",
        "Norm of the gradient before it is clipped, mean over steps.", "",
    ),
    Meaning("wall_s", "wall time", "s", "Time that passed on the clock."),
    Meaning("cpu_s", "CPU time", "s", "CPU time of all threads of the process, validation included."),
)  # fmt: skip
METRICS = {
    one.name: one
    for group in (_ERRORS, _STUDIES, _PHYSICS, _TRUST, _COST, _METHODS, _WAYS, _TRAINING)
    for one in group
}
"""Meanings by name."""
#: methods that `benchmark` scores, and ways to predict whose cost it measures, in the order of tables
METHODS = tuple(one.name for one in _METHODS)
WAYS = (*(one.name for one in _WAYS), "nearest_neighbour", "persistence")


def heading(name: str) -> str:
    """Return what tables and legends call a figure; its own name where it has no words."""
    return METRICS[name].heading if name in METRICS else name


def meaning_of(name: str) -> Meaning:
    """Return what a figure means, by its name or its heading.

    Raises
    ------
    NotFoundError
        There is no such figure; the hint names near ones.

    Examples
    --------
    >>> meaning_of("mLAE").unit
    'dex'
    """
    wanted = name.lower().replace("-", "_").replace(" ", "_")
    if wanted in METRICS:
        return METRICS[wanted]
    for one in METRICS.values():
        if one.heading == name:
            return one
    near = nearest(wanted, METRICS)
    hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(METRICS)}"
    raise NotFoundError(f"no figure is called {name!r}", hint=hint)


def tooltip(words: str) -> str:
    """Return what a heading of a table means, in one line; empty where it explains itself.

    Examples
    --------
    >>> tooltip("step 10")
    'mLAE of all tracers at that step. Unit: dex.'
    >>> tooltip("H2O")
    ''
    """
    wanted = "step" if words.startswith("step ") else words
    for one in METRICS.values():
        if wanted in (one.heading, one.label):
            return f"{one.text} Unit: {one.unit}." if one.unit else one.text
    return ""
