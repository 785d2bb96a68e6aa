"""Hyrax's verbs on random rows of 333 values: run by a Python that has Hyrax, prints CPU seconds as JSON.

python hyrax_peer.py FOLDER EPOCHS ROWS_OF_TRAINING ROWS_OF_INFERENCE ROWS_TO_STORE ROWS_TO_EMBED

A verb of no rows is left out. Each other runs once untimed, for imports and compilation, and then as often as
`REPEATS` says.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"

import torch
from hyrax import Hyrax
from hyrax.models.model_registry import hyrax_model
from torch import nn

REPEATS = 3


@hyrax_model
class PeerAutoencoder(nn.Module):
    """The 333-128-64-14 autoencoder with separate decoder weights.

    Parameters
    ----------
    config
        Hyrax's configuration.
    data_sample
        One collated batch.
    """

    def __init__(self, config: dict, data_sample: torch.Tensor | None = None) -> None:
        super().__init__()
        self.config = config
        self.encoder = nn.Sequential(
            nn.Linear(333, 128), nn.GELU(), nn.Linear(128, 64), nn.GELU(), nn.Linear(64, 14)
        )
        self.decoder = nn.Sequential(
            nn.Linear(14, 64), nn.GELU(), nn.Linear(64, 128), nn.GELU(), nn.Linear(128, 333)
        )

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        """Return the latents."""
        return self.encoder(batch)

    def train_batch(self, batch: torch.Tensor) -> dict:
        """Take one step."""
        self.optimizer.zero_grad()
        loss = self.criterion(self.decoder(self.encoder(batch)), batch)
        loss.backward()
        self.optimizer.step()
        return {"loss": loss.item()}

    def infer_batch(self, batch: torch.Tensor) -> torch.Tensor:
        """Return the latents."""
        return self.encoder(batch)

    @staticmethod
    def prepare_inputs(data_dict: dict) -> object:
        """Return what the model is fed."""
        return data_dict["data"]["image"]


def peer(folder: Path, rows: int, epochs: int = 1) -> Hyrax:
    """Return Hyrax with a random data set of some rows."""
    hyrax = Hyrax()
    request = {
        "data": {
            "dataset_class": "HyraxRandomDataset",
            "data_location": str(folder),
            "fields": ["image"],
            "primary_id_field": "object_id",
        }
    }
    settings = {
        "general.results_dir": str(folder / "results"),
        "general.log_level": "error",
        "data_set.HyraxRandomDataset.size": rows,
        "data_set.HyraxRandomDataset.shape": [333],
        "data_set.HyraxRandomDataset.seed": 1,
        "model.name": "PeerAutoencoder",
        "criterion.name": "torch.nn.MSELoss",
        "optimizer.name": "torch.optim.Adam",
        "train.epochs": epochs,
        "data_loader.batch_size": 512,
        "data_request": {"train": request, "infer": request},
    }
    for key, value in settings.items():
        hyrax.set_config(key, value)
    return hyrax


def timed(work: Callable[[], object]) -> list[float]:
    """Return the CPU seconds of each repeat, after one that does not count."""
    work()
    taken = []
    for _ in range(REPEATS):
        before = time.process_time()
        work()
        taken.append(time.process_time() - before)
    return taken


def main() -> None:
    """Measure and print."""
    folder, epochs = Path(sys.argv[1]), int(sys.argv[2])
    n_train, n_infer, n_store, n_embed = map(int, sys.argv[3:7])
    torch.set_num_threads(1)
    taken = {}
    if n_train:
        taken["train"] = timed(peer(folder, n_train, epochs).train)
    else:
        peer(folder, 1024).train()  # the verbs after it need weights
    if n_infer:
        taken["infer"] = timed(peer(folder, n_infer).infer)
    for rows, verb in ((n_store, "save_to_database"), (n_embed, "umap")):
        if rows:
            peer(folder, rows).infer()
            taken[verb] = timed(getattr(peer(folder, rows), verb))
    print(json.dumps(taken))


if __name__ == "__main__":
    main()
