"""What limits a surrogate, data or training: its error against the number of tracers that it was trained on.

    python docs/scripts/learning_curve.py TRACERS --sizes 50 100 200 400 800 --steps 500

TRACERS is anything that `chemnet preprocess` reads; a tenth of it validates every training. Two models are
trained on the first so many of the others, each for the same number of optimizer steps: the emulator of the
shipped surrogates over rollouts of 11 steps, and an autoencoder of 14 latents. `learning_curve.txt` and
`learning_curve.png` in the output folder show errors on the training and on the validation split.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure

from chemnet import ChemNet
from chemnet.data.preprocessed import PreprocessedData
from chemnet.results import list_results

VALIDATED = 0.1
MUON = (
    'optimizer.name="chemnet.training.muon.Muon"',
    'scheduler.name="torch.optim.lr_scheduler.CosineAnnealingLR"',
    'scheduler.every="batch"',
    "train.ema_decay=0.99",
    "train.early_stopping_patience=false",
    'criterion.name="chemnet.models.losses.ChemistryLoss"',
    '"chemnet.models.losses.ChemistryLoss".error="smooth"',
    '"chemnet.models.losses.ChemistryLoss".worst_weight=0.0',
)


@dataclass(frozen=True)
class Study:
    """A model whose error is followed: its title, what makes it, and how many items a batch holds."""

    title: str
    words: tuple[str, ...]
    batch: int

    @property
    def is_rollout(self) -> bool:
        """Whether batches are windows, not rows."""
        return "DirectRelaxation" in self.words[0]


STUDIES = {
    "rollout": Study(
        "rollout over 11 steps",
        ('model.name="DirectRelaxation"', "model.DirectRelaxation.hidden=[384,384]"),
        256,
    ),
    "autoencoder": Study(
        "autoencoder, 14 latents",
        ('model.name="ResidualAutoencoder"', "model.ResidualAutoencoder.latent_dim=14"),
        2048,
    ),
}


@dataclass(frozen=True)
class Point:
    """Errors of one training: losses as trained (d + d^2 / 2 of errors d in dex), and in dex."""

    study: str
    tracers: int
    train_loss: float
    validate_loss: float
    validate_mlae: float
    validate_lae99: float


def main(arguments: Sequence[str] | None = None) -> None:
    """Train what is not trained yet, and write table and figure after each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tracers", type=Path)
    parser.add_argument("--sizes", type=int, nargs="+", default=[50, 100, 200, 400, 800])
    parser.add_argument("--studies", nargs="+", choices=list(STUDIES), default=list(STUDIES))
    parser.add_argument("--steps", type=int, default=500, help="optimizer steps per training")
    parser.add_argument("--results", type=Path, default=Path("learning_curve"))
    parser.add_argument("--output", type=Path, default=Path("docs/explanation"))
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    points = []
    for size in options.sizes:
        for name in options.studies:
            points.append(measured(options, name, size))
            report(points, options)


def measured(options: argparse.Namespace, name: str, size: int) -> Point:
    """Return the errors of a study with so many tracers, trained here or earlier."""
    component = f"{name}_{size}"
    found = [result for result in _results(options.results) if result.component == component]
    if not found:
        _train(options, STUDIES[name], component, _preprocessed(options, size))
        found = [result for result in _results(options.results) if result.component == component]
    summary = found[-1].summary
    keys = ("train_loss", "validate_loss", "validate_mlae", "validate_lae99")
    return Point(name, size, *(float(summary[key]) for key in keys))


def _results(folder: Path) -> list:
    """Return the trainings that are there."""
    return [result for result in list_results(folder) if result.verb == "train"] if folder.is_dir() else []


def _chemnet(options: argparse.Namespace, *words: str) -> ChemNet:
    """Return chemnet with what all share."""
    common = (
        f'data_set.path="{options.tracers}"',
        f'general.results_dir="{options.results}"',
        'general.device="cpu"',
        "mlflow.enabled=false",
        "preprocess.window=12",
        "preprocess.stride=11",
        f"preprocess.train_size={1.0 - VALIDATED}",
        f"preprocess.validate_size={VALIDATED}",
        "preprocess.test_size=0.0",
    )
    return ChemNet([], [*common, *words])


def _preprocessed(options: argparse.Namespace, size: int) -> Path:
    """Return the preprocess result whose training split holds the first `size` tracers of the whole one."""
    whole = options.results / "whole.json"
    if not whole.is_file():
        result = _chemnet(options).preprocess()
        whole.write_text((result.path / "splits.json").read_text(encoding="utf-8"), encoding="utf-8")
    splits = json.loads(whole.read_text(encoding="utf-8"))
    if size > len(splits["train"]):
        raise SystemExit(f"only {len(splits['train'])} tracers are left to train on; asked for {size}")
    part = options.results / f"first_{size}.json"
    order = np.random.default_rng(0).permutation(len(splits["train"]))[:size]
    splits["train"] = [splits["train"][i] for i in order]
    part.write_text(json.dumps(splits), encoding="utf-8")
    return _chemnet(options, f'preprocess.split_file="{part}"').preprocess().path


def _train(options: argparse.Namespace, study: Study, component: str, data: Path) -> None:
    """Train for the asked number of optimizer steps."""
    train = PreprocessedData(data).split("train")
    items = len(train.window_start) if study.is_rollout else train.n_rows
    epochs = math.ceil(options.steps / math.ceil(items / study.batch))
    batch = "windows_per_batch" if study.is_rollout else "rows_per_batch"
    words = (*study.words, *MUON, f"train.{batch}={study.batch}", f"train.epochs={epochs}")
    _chemnet(options, *words).train(component=component, preprocess_dir=data)


def report(points: Sequence[Point], options: argparse.Namespace) -> None:
    """Write table and figure."""
    lines = [
        "| model | tracers | train loss | validate loss | validate mLAE [dex] | validate LAE99 [dex] |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for point in sorted(points, key=lambda point: (point.study, point.tracers)):
        figures = (point.train_loss, point.validate_loss, point.validate_mlae, point.validate_lae99)
        shown = " | ".join(f"{figure:.3f}" for figure in figures)
        lines.append(f"| {STUDIES[point.study].title} | {point.tracers} | {shown} |")
    (options.output / "learning_curve.txt").write_text("\n".join([*lines, ""]), encoding="utf-8")
    drawn(points).savefig(options.output / "learning_curve.png", dpi=110)


def drawn(points: Sequence[Point]) -> Figure:
    """Return the curves: losses on both splits against the number of tracers, on logarithmic axes."""
    figure = Figure(figsize=(9.0, 3.8), layout="constrained")
    for place, (name, study) in enumerate(STUDIES.items()):
        axis = figure.add_subplot(1, len(STUDIES), place + 1)
        own = sorted((point for point in points if point.study == name), key=lambda point: point.tracers)
        sizes = [point.tracers for point in own]
        axis.loglog(sizes, [point.validate_loss for point in own], "o-", label="validation split")
        axis.loglog(sizes, [point.train_loss for point in own], "s--", label="training split")
        axis.set(title=study.title, xlabel="tracers trained on", ylabel="loss (d + d² / 2, d in dex)")
        axis.grid(alpha=0.3, which="both")
        axis.legend()
    return figure


if __name__ == "__main__":
    main()
