"""Hyrax's verbs on random rows of 333 values, by a Python that has Hyrax: runs one whenever it is told to.

python hyrax_peer.py FOLDER EPOCHS VERB=ROWS ...

It prepares each verb and runs it once, for imports and compilation. Then it runs the verb that a line of the
standard input names, and prints the CPU seconds that this took.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"

import torch
from hyrax import Hyrax
from hyrax.models.model_registry import hyrax_model
from torch import nn

# rows of the training that the other verbs take their weights from
TRAINED_ON = 1024


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

    optimizer: Any  # Hyrax sets both
    criterion: Any

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


def prepared(verb: str, folder: Path, rows: int, epochs: int) -> Callable[[], object]:
    """Return a verb's work, run once; in a folder of its own, for a verb takes the newest results there."""
    folder.mkdir()
    if verb == "train":
        work = peer(folder, rows, epochs).train
    else:
        peer(folder, TRAINED_ON).train()
        work = peer(folder, rows).infer
        if verb != "infer":
            work()
            work = getattr(peer(folder, rows), verb)
    work()
    return work


def main() -> None:
    """Prepare, then run and print as told."""
    folder, epochs = Path(sys.argv[1]), int(sys.argv[2])
    # what the verbs themselves print is no answer
    answers, sys.stdout = sys.stdout, sys.stderr
    torch.set_num_threads(1)
    rows = dict(word.split("=") for word in sys.argv[3:])
    works = {verb: prepared(verb, folder / verb, int(count), epochs) for verb, count in rows.items()}
    for line in sys.stdin:
        before = time.process_time()
        works[line.strip()]()
        print(time.process_time() - before, file=answers, flush=True)


if __name__ == "__main__":
    main()
