"""What each process of a group does in the tests of distributed training.

All trainings run in the same processes, since starting one takes longer than training in it. The last one has
no end: Ctrl-C is to end it.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from chemnet import cli
from chemnet.config import ConfigDict, load_config
from chemnet.errors import RunFailedError
from chemnet.models.autoencoders.autoencoder import Autoencoder
from chemnet.training.feeds import data_feed
from chemnet.training.loop import train_component
from chemnet.verbs.train import Train

# batches that two processes cannot share evenly, statistics over the batch, gradients that are clipped
WHOLE = {"train.epochs": 4, "train.batch_size": 45, "train.component": "whole"}
ENDLESS = ("train.epochs=1000000", "train.early_stopping_patience=false", "train.component=endless")
EMULATOR = {"model.name": "DirectEmulator", "train.component": "direct", "train.batch_size": 7}


def main() -> None:
    """Train several times, write what this process saw as JSON, then train until interrupted."""
    train_component.write_curves = lambda *_: None  # drawing takes longer than training here
    config = load_config([sys.argv[1]])
    seen = _noting_items()
    whole = Train(config.replace(WHOLE)).run()
    told: dict[str, Any] = {"rank": os.environ["RANK"], "path": str(whole.path), "items": list(seen)}
    emulator = Train(config.replace(EMULATOR)).run()
    half = Train(config.replace({**WHOLE, "train.epochs": 2, "train.component": "half"})).run()
    resumed = Train(config.replace({"train.resume": str(half.path), "train.epochs": 4})).run()
    told |= {"emulator": str(emulator.path), "resumed": str(resumed.path)}
    told["failure"] = _failure_of_the_second(config)
    (Path(sys.argv[1]).parent / f"told_{os.environ['RANK']}.json").write_text(json.dumps(told))
    sys.exit(cli.main(["train", "-c", sys.argv[1], *ENDLESS]))


def _noting_items() -> list[list[int]]:
    """Return a list into which every batch of rows notes the rows that this process takes."""
    noted: list[list[int]] = []
    original = data_feed.RowTable.gather

    def gather(self: data_feed.RowTable, items: Any) -> Any:
        noted.append(items.tolist())
        return original(self, items)

    data_feed.RowTable.gather = gather  # type: ignore[method-assign]
    return noted


def _failure_of_the_second(config: ConfigDict) -> str:
    """Train with a loss that is not finite in the second process alone; return what this one is told."""
    original = Autoencoder.train_batch

    def train_batch(self: Autoencoder, batch: Any) -> Any:
        loss, terms = original(self, batch)
        return (loss * float("nan"), terms) if os.environ["RANK"] == "1" else (loss, terms)

    Autoencoder.train_batch = train_batch  # type: ignore[method-assign]
    try:
        Train(config).run()
    except RunFailedError as error:
        return error.message
    finally:
        Autoencoder.train_batch = original  # type: ignore[method-assign]
    return "no failure"


if __name__ == "__main__":
    main()
