"""How many states does `chemnet infer` encode per CPU-second, beside the network alone?

python benchmarks/bench_infer.py [tracers of 298 steps, 672 by default]

The 333-128-64-14 autoencoder on 200,256 states, with everything that the verb does after its imports: reading
the splits, encoding, naming and writing the states, hashing the files. The network alone encodes the same
rows again and again; the matrix products alone are what no encoder of this shape goes below.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from figures import Figure, report
from made_states import N_SPECIES, PEER_MODEL, MadeStates, made_config

from chemnet.registry import VERBS

REPEATS = 5
ROWS_PER_CALL = 2048


def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return CPU seconds and result of some work."""
    before = time.process_time()
    result = work()
    return time.process_time() - before, result


def network_alone(model: Any, n_rows: int) -> Callable[[], Any]:
    """Return the encoding of as many random rows, without reading or writing any."""
    rows = torch.rand(ROWS_PER_CALL, 333)

    def encode() -> None:
        with torch.inference_mode():
            for _ in range(n_rows // ROWS_PER_CALL):
                model.encode(rows)

    return encode


def matrix_products(n_rows: int) -> Callable[[], Any]:
    """Return the matrix products of the encoder for as many rows, into memory that is there already."""
    widths = [N_SPECIES, *PEER_MODEL["model.Autoencoder.hidden"], PEER_MODEL["model.Autoencoder.latent_dim"]]  # type: ignore[misc]
    weights = [torch.rand(n_in, n_out) for n_in, n_out in pairwise(widths)]
    layers = [torch.rand(ROWS_PER_CALL, width) for width in widths]

    def multiply() -> None:
        with torch.inference_mode():
            for _ in range(n_rows // ROWS_PER_CALL):
                for inputs, weight, outputs in zip(layers, weights, layers[1:], strict=False):
                    torch.mm(inputs, weight, out=outputs)

    return multiply


def main() -> None:
    """Measure and print."""
    MadeStates.n_tracers = int(sys.argv[1]) if len(sys.argv) > 1 else MadeStates.n_tracers
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        config = made_config(Path(folder), **{"train.epochs": 1, "train.rows_per_batch": 4096})
        VERBS.get("preprocess")(config).run()
        trained = VERBS.get("train")(config).run()
        infer, model = VERBS.get("infer")(config), trained.load_model()
        n_rows = infer.run().summary["rows"]
        plain, folded = network_alone(model, n_rows), network_alone(model.for_inference(), n_rows)
        products = matrix_products(n_rows)
        works = {"verb": infer.run, "model": plain, "folded": folded, "products": products}
        taken: dict[str, list[float]] = {name: [] for name in works}
        for _ in range(REPEATS):
            for name, work in works.items():
                taken[name].append(seconds(work)[0])
    rates = {name: [n_rows / value for value in values] for name, values in taken.items()}
    names = {
        "verb": "chemnet infer [rows/CPU-s]",
        "model": "the network as trained, alone [rows/CPU-s]",
        "folded": "the network folded, alone [rows/CPU-s]",
        "products": "its matrix products alone [rows/CPU-s]",
    }
    figures = [
        Figure(
            names[name],
            statistics.median(values),
            5e5 if name == "verb" else None,
            spread=(min(values), max(values)),
        )
        for name, values in rates.items()
    ]
    for floor in ("folded", "products"):
        shares = [ours / bare for ours, bare in zip(rates["verb"], rates[floor], strict=True)]
        name = f"chemnet infer / {names[floor].removesuffix(' [rows/CPU-s]')}"
        figures.append(Figure(name, statistics.median(shares), spread=(min(shares), max(shares))))
    report(__doc__ or "", figures)


if __name__ == "__main__":
    main()
