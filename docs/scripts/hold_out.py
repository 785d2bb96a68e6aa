"""Write a split file that keeps tracers of some files in a folder out of the training.

    python docs/scripts/hold_out.py whole 201=60,40 302=15,10 > splits.json

Of `whole/201.h5` the first 60 tracers validate and the next 40 test; all that is not kept out trains.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import h5py


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the splits."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="files that chemnet simulate wrote")
    parser.add_argument("kept_out", nargs="+", help="FILE=VALIDATE,TEST: name without .h5, and two numbers")
    options = parser.parse_args(arguments)
    kept_out = dict(word.split("=") for word in options.kept_out)
    splits: dict[str, list[str]] = {"train": [], "validate": [], "test": []}
    for path in sorted(options.folder.glob("*.h5")):
        with h5py.File(path) as file:
            # as chemnet preprocess names tracers where several files have the same ids
            ids = [f"{path.stem}:{tracer.decode()}" for tracer in file["tracer_id"][:]]
        n_validate, n_test = map(int, kept_out.get(path.stem, "0,0").split(","))
        splits["validate"] += ids[:n_validate]
        splits["test"] += ids[n_validate : n_validate + n_test]
        splits["train"] += ids[n_validate + n_test :]
    json.dump(splits, sys.stdout)


if __name__ == "__main__":
    main()
