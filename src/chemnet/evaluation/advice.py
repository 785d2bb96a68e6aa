"""What to try next, read off the figures of a benchmark."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

# unseen tracers that cost so many times what trained ones cost say that the data limit
_OVERFITTED = 1.5
# share of the rollout's error that compression alone has
_COMPRESSION = 0.5
# share of rows by the solver from which it is most of the cost
_SOLVER = 0.05
# tracers whose mean error scatters little
_ENOUGH_TRACERS = 10
# error below which another model is not what helps [dex]
_GOOD = 0.1
_MOST = 3
_IMPLICIT = "ImplicitEmulator"


def next_steps(
    metrics: Mapping[str, Any], training: Mapping[str, Any] | None = None, starts: Sequence[str] = ()
) -> list[str]:
    """Return what is worth trying next, at most three lines, that with the largest gain first.

    Parameters
    ----------
    metrics
        The content of a benchmark's `metrics.json`.
    training
        The summary of the emulator's training, where it is at hand.
    starts
        Surrogates of the same species that a training may start from.
    """
    emulator = metrics["surrogate"]["networks"]["emulator"]
    member = metrics["surrogate"].get("member", emulator)
    started = bool(training and training.get("started_from"))
    lines = [
        *_against_rivals(metrics),
        *([] if started else _another_start(metrics, starts)),
        *_another_model(metrics, member),
        *_compression(metrics),
        *_data_or_training(training),
        *_solver(metrics, member),
        *_more_test_tracers(metrics),
    ]
    return lines[:_MOST]


def _error(metrics: Mapping[str, Any], method: str) -> float | None:
    score = metrics["scores"].get(method)
    return None if score is None else float(score["mlae"])


def _against_rivals(metrics: Mapping[str, Any]) -> Iterator[str]:
    """Yield what to do where something that learns nothing is as good."""
    rollout = _error(metrics, "rollout") or 0.0
    for method, words in (
        ("nearest_neighbour", "the nearest state that training saw"),
        ("persistence", "keeping the initial state"),
    ):
        rival = _error(metrics, method)
        if rival is not None and rollout >= rival:
            yield (
                f"It is no better than {words} ({rival:.2f} dex): train longer (train.epochs), with the "
                "recipe that suits your data: model.name=emulator."
            )
            return
    step, still = _error(metrics, "one_step"), _error(metrics, "one_step_persistence")
    if step is not None and still is not None and step > still:
        yield (
            f"A single step ({step:.3f} dex) is worse than predicting no change ({still:.3f} dex): train "
            "longer, or on short windows first (train.window=12)."
        )


def _another_start(metrics: Mapping[str, Any], starts: Sequence[str]) -> Iterator[str]:
    if starts and (_error(metrics, "rollout") or 0.0) > _GOOD and metrics["surrogate"]["name"] not in starts:
        yield (
            f"{starts[0]} comes with chemnet and has your species: train.start_from={starts[0]} "
            "fine-tunes it on your tracers."
        )


def _another_model(metrics: Mapping[str, Any], member: str) -> Iterator[str]:
    if member != _IMPLICIT and (_error(metrics, "rollout") or 0.0) > _GOOD:
        yield (
            "If you have the chemical network that made the tracers, set data_set.network=FOLDER and "
            "model.name=emulator: each step then begins with its rate equations. Nothing else lowers the "
            "error as much."
        )


def _compression(metrics: Mapping[str, Any]) -> Iterator[str]:
    rollout, alone = _error(metrics, "rollout") or 0.0, _error(metrics, "reconstruction")
    if alone is not None and alone > _COMPRESSION * rollout:
        yield (
            f"Compression alone costs {alone:.2f} of the {rollout:.2f} dex: emulate the abundances "
            "themselves (model.name=emulator), or give the autoencoder more latents."
        )


def _data_or_training(training: Mapping[str, Any] | None) -> Iterator[str]:
    """Yield whether more data or more training helps, by the losses of trained and unseen tracers."""
    if not training or not {"train_loss", "validate_loss"} <= training.keys():
        return
    ratio = training["validate_loss"] / max(training["train_loss"], 1e-12)
    if ratio > _OVERFITTED:
        yield (
            f"The validation loss is {ratio:.1f} times the training loss: more tracers help most, more "
            "epochs do not."
        )
    else:
        yield (
            "The validation loss is about the training loss, so the data are not the limit: train longer "
            "(train.epochs) or use a larger network."
        )


def _solver(metrics: Mapping[str, Any], member: str) -> Iterator[str]:
    share = metrics["scores"]["rollout"].get("solver_share")
    if share is not None and share > _SOLVER:
        yield (
            f"The solver makes {100.0 * share:.0f} % of the steps, which is most of the cost: train longer, "
            f"or raise model.{member}.solver_error."
        )


def _more_test_tracers(metrics: Mapping[str, Any]) -> Iterator[str]:
    tracers = metrics["data"]["tracers"]
    if tracers < _ENOUGH_TRACERS:
        yield (
            f"With only {tracers} tracers this figure is uncertain: score on more (preprocess.test_size), or "
            "over several splits (general.seed)."
        )
