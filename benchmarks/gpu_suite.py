"""What does a GPU give? Tests marked `gpu`, rollout and training against the roofline, a training of *fast*.

benchmarks/on_gpu TRACERS --out FOLDER [--minutes 10]

Each part has its share of the minutes and is ended when that is over; a part that fails does not stop the
others. FOLDER gets `on_gpu.md` with the figures, the output of each part, and the trainings, whose
best weights are kept where time ran out.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from figures import Figure, machine, table
from made_states import N_SPECIES
from rollout_training import Case, made_batch, made_model

from chemnet.surrogate.engine.fused_predictor import FusedPredictor
from chemnet.surrogate.predictor import Parts

RECIPES = Path(__file__).parents[1] / "example_configs" / "surrogates" / "uclchem"
CHEMNET = (sys.executable, "-m", "chemnet")
# shares of the time: that tests may take, and of what is left after the roofline that each stage may
TESTS_SHARE = 0.2
STAGES = {"1_first_steps": 0.15, "2_windows": 0.15, "3_histories": 0.25, "5_pieces": 0.3}
HIDDEN = (512, 512)
WIDTHS = (9 + N_SPECIES, *HIDDEN, 2 * N_SPECIES)
REPEATS = 5


@dataclass(frozen=True)
class Size:
    """How much is measured: on a GPU, or in a dry run.

    Attributes
    ----------
    matrix
        Rows and columns of the product that tells the roofline.
    cells, steps
        Of the rollout.
    windows, window_steps
        Of a batch of the training.
    """

    matrix: int
    cells: int
    steps: int
    windows: int
    window_steps: int


GPU, DRY = Size(8192, 65536, 64, 256, 64), Size(256, 32, 17, 4, 6)


def seconds_of(work: Callable[[], Any], device: torch.device) -> list[float]:
    """Return the wall times of some repeats [s], after two that do not count."""
    taken = []
    for repeat in range(REPEATS + 2):
        _wait(device)
        started = time.perf_counter()
        work()
        _wait(device)
        if repeat > 1:
            taken.append(time.perf_counter() - started)
    return taken


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def roofline(size: Size, device: torch.device) -> list[Figure]:
    """Return what rollout and training of *fast* reach of the rate of one large matrix product."""
    one, other = (torch.rand(size.matrix, size.matrix, device=device) for _ in range(2))
    peak = 2.0 * size.matrix**3 / min(seconds_of(lambda: one @ other, device))
    per_row = 2.0 * sum(n_in * n_out for n_in, n_out in pairwise(WIDTHS))
    case = Case("DirectRelaxation", HIDDEN, WIDTHS, size.windows, size.window_steps)
    rollouts = seconds_of(_rollout(case, size, device), device)
    trainings = seconds_of(_training(case, device), device)
    n_rows, n_trained = size.cells * size.steps, size.windows * size.window_steps
    return [
        Figure("one product of matrices, float32 [TFLOP/s]", peak / 1e12),
        Figure.of("rollout: cell-steps per second", [n_rows / spent for spent in rollouts]),
        Figure.of("rollout / product", [n_rows * per_row / spent / peak for spent in rollouts], 0.3),
        Figure.of("training: rows per second", [n_trained / spent for spent in trainings]),
        Figure.of("training / product", [3 * n_trained * per_row / spent / peak for spent in trainings], 0.2),
    ]


def _rollout(case: Case, size: Size, device: torch.device) -> Callable[[], Any]:
    """Return a rollout of some cells, of which the last row is kept."""
    model = made_model(case).eval()
    predictor = FusedPredictor(Parts(model, None, None, model.data)).to(device)
    physical = 10.0 ** (1.0 + 2.0 * torch.rand(size.cells, size.steps + 1, 4, device=device)).double()
    dt = torch.full((size.cells, size.steps), 3367.0, dtype=torch.float64, device=device)
    state = predictor.start(
        10.0 ** (-18.0 + 16.0 * torch.rand(size.cells, N_SPECIES, device=device)).double()
    )
    rows = torch.tensor([size.steps])

    def work() -> None:
        with torch.inference_mode():
            predictor.rollout(state, physical, dt, rows)

    return work


def _training(case: Case, device: torch.device) -> Callable[[], Any]:
    """Return a step of the training, without the optimizer."""
    model = made_model(case).to(device)
    batch = {name: values.to(device) for name, values in made_batch(case).items()}

    def work() -> None:
        model.zero_grad()
        model.train_batch(batch)[0].backward()

    return work


def ended_in(command: Sequence[str], seconds: float, log: Path) -> str:
    """Run a command for at most some seconds, then interrupt it as Ctrl-C does; return how it ended."""
    with log.open("a", encoding="utf-8") as stream:
        process = subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT)
        try:
            code = process.wait(timeout=max(1.0, seconds))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(timeout=60.0)
            except subprocess.TimeoutExpired:
                process.kill()
            return f"interrupted after {seconds:.0f} s"
    return "done" if code in (0, 5) else f"FAILED with code {code}: see {log.name}"  # 5: pytest found no test


def tests(device: str, seconds: float, out: Path) -> str:
    """Run the tests that need a GPU; on a CPU only collect them."""
    words = ["-m", "pytest", "-q", "-n", "0", "-m", "gpu", *([] if device == "cuda" else ["--collect-only"])]
    return ended_in([sys.executable, *words], seconds, out / "tests.log")


def train_fast(tracers: Path, device: str, seconds: float, out: Path, changes: Sequence[str]) -> list[str]:
    """Train *fast* in its stages, each from the weights of the one before; return how each ended."""
    told: list[str] = []
    weights: list[str] = []
    words = [f"general.results_dir={out / 'results'}", "mlflow.enabled=false", *changes]
    for stage, share in STAGES.items():
        recipe, log = ["-c", str(RECIPES / f"{stage}.toml")], out / f"{stage}.log"
        ended_in([*CHEMNET, "preprocess", *recipe, f"data_set.path={tracers}", *words], seconds, log)
        command = [*CHEMNET, "train", *recipe, f"general.device={device}", *words, *weights]
        started = time.monotonic()
        how = ended_in(command, share * seconds, log)
        told.append(f"{stage}: {how} ({time.monotonic() - started:.0f} s)")
        found = sorted((out / "results").glob("*-train-*/weights.safetensors"))
        weights = [f"train.model_weights_file={found[-1]}"] if found else []
    return told


def made_tracers(out: Path) -> Path:
    """Return a file with a few short tracers of the shipped network, for a dry run."""
    words = ("n_tracers=8", "n_steps=24", "end_time=8e4", "rtol=1e-2", "workers=1")
    command = [
        *CHEMNET,
        "simulate",
        f"general.results_dir={out / 'made'}",
        *(f"simulate.{one}" for one in words),
    ]
    how = ended_in(command, 300.0, out / "simulate.log")
    if how != "done":
        raise SystemExit(f"no tracers could be made: {how}")
    return next((out / "made").glob("*-simulate-*/tracers.h5"))


# of a dry run: stages that take seconds on a few short tracers
SMALL = (
    "preprocess.train_size=0.5", "preprocess.validate_size=0.25", "preprocess.test_size=0.25",
    "preprocess.window=8", "train.epochs=1", "train.windows_per_batch=4",
    "model.DirectRelaxation.hidden=[16, 16]", "train.curriculum_epochs=false",
    "train.gradient_steps=3",
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all parts; 1 when one of them failed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("tracers", type=Path, nargs="?", help="table of whole tracers")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--minutes", type=float, default=10.0, help="for everything")
    parser.add_argument("--dry-run", action="store_true", help="on the CPU, small, with made tracers")
    options = parser.parse_args(arguments)
    if options.tracers is None and not options.dry_run:
        parser.error("name a table of tracers, or --dry-run")
    options.out.mkdir(parents=True, exist_ok=True)
    device, size = ("cpu", DRY) if options.dry_run else ("cuda", GPU)
    if device == "cuda" and not torch.cuda.is_available():
        parser.error("PyTorch finds no CUDA device; --dry-run runs on the CPU")
    started, seconds = time.monotonic(), 60.0 * options.minutes
    told = [f"tests marked gpu: {tests(device, TESTS_SHARE * seconds, options.out)}"]
    figures: list[Figure] = []
    try:
        figures = roofline(size, torch.device(device))
    except Exception as error:  # whatever a GPU is wrong with, the training is worth trying
        told.append(f"roofline: FAILED with {type(error).__name__}: {error}")
    tracers, changes = (made_tracers(options.out), SMALL) if options.dry_run else (options.tracers, ())
    left = seconds - (time.monotonic() - started)
    told += train_fast(tracers, device, left, options.out, changes)
    where = torch.cuda.get_device_name() if device == "cuda" else "CPU: a dry run, whose figures mean nothing"
    lines = [f"# On a GPU: {where}", "", f"{machine()}, PyTorch {torch.__version__}", "", table(figures), ""]
    text = "\n".join([*lines, *(f"- {one}" for one in told), ""])
    (options.out / "on_gpu.md").write_text(text, encoding="utf-8")
    print(text)
    return int(any("FAILED" in one for one in told))


if __name__ == "__main__":
    sys.exit(main())
