"""Train every model that chemnet brings on the same tracers for the same CPU time, and compare their scores.

    python docs/scripts/score_models.py TRACERS --minutes 3 --results ./model_scores --output docs/explanation

TRACERS is anything that `chemnet preprocess` reads. Each model is trained with its example configuration for
as many epochs as fit into the budget on one core, judged by its first epoch; then `benchmark` scores it on
the test split. `model_scores.txt` in the output folder holds the tables, as Markdown. What a training or
benchmark left in the results folder is not made again.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from chemnet import ChemNet
from chemnet.results import ResultDirectory, list_results
from chemnet.verbs.benchmark import BenchmarkResult
from chemnet.verbs.train import TrainResult

COMPONENTS = Path(__file__).resolve().parents[2] / "example_configs" / "components"
LATENTS = 14
CPU_TIMES = "cpu_times.json"
TABLES = "model_scores.txt"

ANNEALED = (
    'scheduler.name="torch.optim.lr_scheduler.CosineAnnealingLR"',
    'scheduler.every="batch"',
    "train.ema_decay=0.99",
    "train.early_stopping_patience=false",
)
"""One recipe for chemnet's own models: a learning rate that falls to nothing when the budget ends."""

MUON = (*ANNEALED, 'optimizer.name="chemnet.training.muon.Muon"')
"""The same with matrices that learn in all directions alike."""

AS_PUBLISHED = ("train.rows_per_batch=1024", "train.windows_per_batch=64")
"""AstroChemNet's own recipe, but with batches that suit hundreds of tracers instead of ten thousand."""


@dataclass(frozen=True)
class Entry:
    """A row of the table: a component, the example that describes it, and what is changed there."""

    component: str
    example: str
    words: tuple[str, ...] = ANNEALED
    autoencoder: str | None = None
    begins_with: str | None = None


AUTOENCODERS = (
    Entry("pca", "pca_autoencoder", (f"model.PCAAutoencoder.latent_dim={LATENTS}",)),
    Entry("astrochemnet_autoencoder", "astrochemnet_autoencoder", AS_PUBLISHED),
    Entry("autoencoder", "autoencoder", (*ANNEALED, f"model.Autoencoder.latent_dim={LATENTS}")),
    Entry(
        "residual_autoencoder",
        "residual_autoencoder",
        (*ANNEALED, f"model.ResidualAutoencoder.latent_dim={LATENTS}"),
    ),
    Entry(
        "residual_autoencoder_muon",
        "residual_autoencoder",
        (*MUON, f"model.ResidualAutoencoder.latent_dim={LATENTS}"),
    ),
)
EMULATORS = (
    Entry("latent_relaxation", "latent_relaxation", autoencoder="autoencoder"),
    Entry("latent_emulator", "latent_emulator", autoencoder="autoencoder"),
    Entry("astrochemnet_emulator", "astrochemnet_emulator", AS_PUBLISHED, "astrochemnet_autoencoder"),
    Entry("direct_relaxation", "direct_relaxation"),
    Entry("direct_relaxation_muon", "direct_relaxation", MUON),
    Entry("direct_emulator", "direct_emulator"),
    Entry("direct_ensemble_muon", "direct_ensemble", MUON),
    Entry("latent_rnn", "latent_rnn", autoencoder="autoencoder"),
    Entry("latent_ode", "latent_ode", autoencoder="autoencoder"),
    Entry("latent_neural_operator", "latent_neural_operator", autoencoder="autoencoder"),
    Entry("latent_ensemble", "latent_ensemble", autoencoder="autoencoder"),
    Entry(
        "fine_tuned_emulator", "fine_tuned_emulator", autoencoder="autoencoder", begins_with="latent_emulator"
    ),
    Entry("emulator_of_pca", "latent_emulator", autoencoder="pca"),
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train and score everything, and write the table after each model."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tracers", type=Path)
    parser.add_argument("--minutes", type=float, default=3.0, help="CPU minutes per training")
    parser.add_argument("--results", type=Path, default=Path("model_scores"))
    parser.add_argument("--output", type=Path, default=Path("docs/explanation"))
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    workshop = Workshop(options.tracers, options.results, options.minutes)
    workshop.preprocess()
    for entry in (*AUTOENCODERS, *EMULATORS):
        workshop.train(entry)
        if entry in EMULATORS:
            workshop.benchmark(entry)
        (options.output / TABLES).write_text(as_markdown(workshop), encoding="utf-8")


class Workshop:
    """Where models are trained: tracers, a results folder and a budget of CPU minutes per training."""

    def __init__(self, tracers: Path, results: Path, minutes: float) -> None:
        self.tracers, self.results, self.minutes = tracers, results, minutes

    def chemnet(self, entry: Entry | None = None, *words: str) -> ChemNet:
        """Return chemnet with an entry's configuration."""
        common = (
            f'data_set.path="{self.tracers}"',
            f'general.results_dir="{self.results}"',
            'general.device="cpu"',
            "mlflow.enabled=false",
            "preprocess.stride=32",
            "benchmark.solver_tracers=0",
            "benchmark.cost_tracers=0",
        )
        files = [COMPONENTS / f"{entry.example}.toml"] if entry else []
        return ChemNet(files, [*common, *(entry.words if entry else ()), *words])

    def find(self, verb: str, component: str | None) -> ResultDirectory | None:
        """Return the result of an earlier call, if it is there."""
        found = list_results(self.results) if self.results.is_dir() else []
        same = [result for result in found if (result.verb, result.component) == (verb, component)]
        return same[-1] if same else None

    def preprocess(self) -> None:
        """Split and scale the tracers."""
        if not any(result.verb == "preprocess" for result in list_results(self.results)):
            self.chemnet().preprocess()

    def train(self, entry: Entry) -> None:
        """Train an entry for as many epochs as fit into the budget, one epoch having been timed."""
        if self.find("train", entry.component):
            return
        words = self.links(entry)
        started = time.process_time()
        timed = self.chemnet(entry, *words).train(component=f"{entry.component}_timed", epochs=1)
        # what is no epoch, such as reading and plotting, costs as much as one pass without gradients
        rest = self.cpu_times.get(AUTOENCODERS[0].component, 0.0)
        passes = (60.0 * self.minutes - rest) / max(time.process_time() - started - rest, 1e-3)
        if timed.load_model().closed_form:
            passes = 1
        started = time.process_time()
        self.chemnet(entry, *words).train(component=entry.component, epochs=max(1, int(passes)))
        self.note_cpu_time(entry.component, time.process_time() - started)

    @property
    def cpu_times(self) -> dict[str, float]:
        """CPU time of each training [s]."""
        path = self.results / CPU_TIMES
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}

    def note_cpu_time(self, component: str, seconds: float) -> None:
        """Keep the CPU time of a training."""
        text = json.dumps({**self.cpu_times, component: seconds}, indent=1)
        (self.results / CPU_TIMES).write_text(text, encoding="utf-8")

    def links(self, entry: Entry) -> list[str]:
        """Return the words that name what an entry builds on."""
        words = [f'train.autoencoder_dir="{entry.autoencoder}"'] if entry.autoencoder else []
        if entry.begins_with:
            weights = self.trained(entry.begins_with).directory.file("weights.safetensors")
            words.append(f'train.model_weights_file="{weights}"')
        return words

    def benchmark(self, entry: Entry) -> None:
        """Score an entry on the test split."""
        if not self.find("benchmark", entry.component):
            self.chemnet().benchmark(surrogate=self.trained(entry.component).path)

    def trained(self, component: str) -> TrainResult:
        """Return a trained component."""
        found = self.find("train", component)
        assert found is not None, f"{component} has not been trained"
        return TrainResult(found)

    def scores(self, component: str) -> dict[str, Any] | None:
        """Return what the benchmark of a component measured, if it is there."""
        found = self.find("benchmark", component)
        return None if found is None else BenchmarkResult(found).metrics


def as_markdown(workshop: Workshop) -> str:
    """Return the tables as a page part."""
    lines = [
        "| autoencoder | numbers | epochs | CPU time | validate mLAE | validate LAE99 |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    lines += [autoencoder_row(one, workshop) for one in AUTOENCODERS if workshop.find("train", one.component)]
    lines += [
        "",
        "| emulator | numbers | epochs | CPU time | rollout mLAE | rollout LAE99 | one step mLAE | "
        "reconstruction mLAE | cell-steps/s |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    lines += [emulator_row(one, workshop) for one in EMULATORS if workshop.scores(one.component)]
    lines += baselines(workshop)
    return "\n".join([*lines, ""])


def autoencoder_row(entry: Entry, workshop: Workshop) -> str:
    """Return the row of an autoencoder."""
    summary = workshop.trained(entry.component).summary
    figures = [f"{summary[f'validate_{name}']:.3f}" for name in ("mlae", "lae99")]
    return _row(entry.component, *_training(entry, workshop), *figures)


def emulator_row(entry: Entry, workshop: Workshop) -> str:
    """Return the row of an emulator."""
    metrics = workshop.scores(entry.component)
    assert metrics is not None
    scores = metrics["scores"]
    rollout, one_step = scores["rollout"], scores["one_step"]
    reconstruction = f"{scores['reconstruction']['mlae']:.3f}" if "reconstruction" in scores else ""
    return _row(
        entry.component,
        *_training(entry, workshop),
        f"{rollout['mlae']:.3f}",
        f"{rollout['lae99']:.2f}",
        f"{one_step['mlae']:.3f}",
        reconstruction,
        f"{metrics['speed']['surrogate_1_core']:.2g}",
    )


def baselines(workshop: Workshop) -> list[str]:
    """Return the rows of what needs no training."""
    metrics = next(filter(None, (workshop.scores(entry.component) for entry in EMULATORS)), None)
    if metrics is None:
        return []
    rows = []
    for name in ("nearest_neighbour", "persistence", "one_step_persistence"):
        score = metrics["scores"][name]
        figures = ["", "", f"{score['mlae']:.3f}"] if name.startswith("one") else [
            f"{score['mlae']:.3f}", f"{score['lae99']:.2f}", ""]  # fmt: skip
        rows.append(_row(name, "", "", "", *figures, "", ""))
    return rows


def _training(entry: Entry, workshop: Workshop) -> list[str]:
    """Return size, epochs and time of a training."""
    summary, seconds = workshop.trained(entry.component).summary, workshop.cpu_times[entry.component]
    return [f"{summary['parameters']:,}", f"{summary['epochs']}", f"{seconds / 60.0:.1f} min"]


def _row(*cells: str) -> str:
    """Return a row of a Markdown table."""
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
