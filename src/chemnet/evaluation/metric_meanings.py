"""What each figure of chemnet means: its unit and one sentence."""

from __future__ import annotations

from dataclasses import dataclass

from chemnet.errors import NotFoundError, nearest


@dataclass(frozen=True)
class Meaning:
    """A figure in words.

    Parameters
    ----------
    name
        As it stands in files.
    title
        As reports call it.
    unit
        Its unit; empty for a pure number.
    text
        What it is.
    better
        ``"lower"``, ``"higher"``, or empty where neither is.
    """

    name: str
    title: str
    unit: str
    text: str
    better: str = "lower"

    def __str__(self) -> str:
        unit = f" [{self.unit}]" if self.unit else ""
        wish = f"\n  {self.better} is better" if self.better else ""
        return f"{self.name}: {self.title}{unit}\n  {self.text}{wish}"


_ALL = (
    Meaning(
        "mlae",
        "mLAE, mean error",
        "dex",
        "Mean over all states and species of |log10 predicted - log10 true|, both clipped at "
        "benchmark.floor. "
        "0.1 dex is 26 %, 0.3 dex a factor of two.",
    ),
    Meaning(
        "lae99",
        "LAE99, error of the worst percent",
        "dex",
        "99th percentile of |log10 predicted - log10 true|: one value in a hundred is off by more.",
    ),
    Meaning(
        "mlae_visible",
        "mLAE of abundant species",
        "dex",
        "The mean error of the values that are truly above benchmark.visible (1e-14 unless set): what a "
        "telescope or a cooling function sees.",
    ),
    Meaning(
        "lae99_visible",
        "LAE99 of abundant species",
        "dex",
        "The 99th percentile of the error of the values that are truly above benchmark.visible.",
    ),
    Meaning(
        "mean_relative_error",
        "mean relative error",
        "",
        "Mean of |predicted - true| / true, AstroChemNet's metric; species at the floor that are predicted "
        "too high rule it.",
    ),
    Meaning(
        "mae",
        "MAE",
        "per H nucleus",
        "Mean of |predicted - true|, as the CODES benchmark publishes it; the most abundant species rule it.",
    ),
    Meaning(
        "rmse",
        "RMSE",
        "per H nucleus",
        "Root of the mean of (predicted - true) squared; the MSE of the CODES benchmark is its square.",
    ),
    Meaning(
        "mre",
        "MRE",
        "",
        "Mean of |predicted - true| / true, a true value below study.relative_threshold counting as that.",
    ),
    Meaning(
        "rmse_log",
        "RMSE (log)",
        "dex",
        "Root of the mean of (log10 predicted - log10 true) squared, both clipped at benchmark.floor.",
    ),
    Meaning(
        "uncertainty",
        "Mean Log Uncertainty",
        "dex",
        "Mean standard deviation of the logarithms that the members of a deep ensemble predict.",
        "",
    ),
    Meaning(
        "correlation",
        "UQ-Error PCC",
        "",
        "Pearson's correlation between the spread of a deep ensemble and the error of its mean: 1 where the "
        "spread tells the error.",
        "higher",
    ),
    Meaning(
        "element_drift",
        "drift of the elements",
        "",
        "Largest |n_e / n_e(0) - 1| over cells and steps: how much of an element appears or is lost, which "
        "the equations do not allow.",
    ),
    Meaning(
        "charge_residual",
        "charge residual",
        "per H nucleus",
        "|E- minus the sum of the charges of all other species|. Some tables do not conserve charge "
        "themselves.",
    ),
    Meaning(
        "not_finite",
        "values that are not finite",
        "",
        "How many predicted abundances are NaN or infinite: 0 in a surrogate that may be used.",
    ),
    Meaning(
        "one_step",
        "one step",
        "dex",
        "The error of single steps, each from a true state: what a step adds, without the errors before it.",
    ),
    Meaning(
        "rollout_unconserved",
        "rollout without conservation",
        "dex",
        "The same rollout without keeping each element's total: what the networks alone predict.",
    ),
    Meaning(
        "expected_error",
        "expected error",
        "dex",
        "What the surrogate expects to be off in a state, calibrated on tracers that trained nothing.",
    ),
    Meaning(
        "score",
        "trust",
        "",
        "Between 0 and 1: how much of the calibration set was expected to be worse than this state.",
        "higher",
    ),
    Meaning(
        "validate_loss",
        "validation loss",
        "",
        "The training's own loss on the validation tracers; comparable only between trainings of one loss.",
    ),
    Meaning(
        "validate_mlae",
        "validation mLAE",
        "dex",
        "The mean error on validation tracers: of one reconstruction (autoencoder) or of the rollout over a "
        "window (emulator). It steers the training; benchmark reports on tracers that did not.",
    ),
    Meaning(
        "persistence",
        "persistence",
        "dex",
        "The baseline that predicts no change at all. A surrogate that is worse has learnt nothing.",
    ),
    Meaning(
        "nearest_neighbour",
        "nearest known state",
        "dex",
        "The baseline that looks up the most similar training state and takes what followed it.",
    ),
    Meaning(
        "coverage",
        "coverage",
        "",
        "Share of the states that are kept when those with the largest expected error are left to "
        "the solver.",
        "",
    ),
    Meaning(
        "rollout",
        "rollout",
        "",
        "The surrogate stepped along whole tracers from their first row, each step from its own prediction.",
        "",
    ),
    Meaning(
        "drift",
        "drift",
        "",
        "See element_drift; of a long rollout, how far abundances wander beyond the trained length.",
    ),
)
METRICS = {one.name: one for one in _ALL}
"""Meanings by name."""


def meaning_of(name: str) -> Meaning:
    """Return what a figure means.

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
    if wanted not in METRICS:
        near = nearest(wanted, METRICS)
        hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(METRICS)}"
        raise NotFoundError(f"no figure is called {name!r}", hint=hint)
    return METRICS[wanted]
