"""Calibrate the trust of a saved surrogate anew, on the validation tracers of a preprocess result.

    python docs/scripts/calibrate_surrogate.py SURROGATE_FOLDER PREPROCESS_RESULT

writes the table `trust` of its `surrogate.toml`; the training split must be that of its reference states.
"""

from __future__ import annotations

import argparse
import tomllib
from collections.abc import Sequence
from pathlib import Path

import torch

from chemnet.config.toml_text import toml_text
from chemnet.data.preprocessed import PreprocessedData
from chemnet.results import ResultDirectory
from chemnet.surrogate.saved import SURROGATE_FILE
from chemnet.surrogate.surrogate import Surrogate
from chemnet.surrogate.trust.calibration import judgement_of


def main(arguments: Sequence[str] | None = None) -> None:
    """Calibrate and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("surrogate", type=Path, help="folder of the saved surrogate")
    parser.add_argument("result", type=Path, help="result directory of chemnet preprocess")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    surrogate = Surrogate.load(options.surrogate)
    judgement = judgement_of(surrogate.predictor, PreprocessedData(ResultDirectory.open(options.result)))
    if judgement is None:
        raise SystemExit(f"{options.result} has no validation tracers")
    path = options.surrogate / SURROGATE_FILE
    content = tomllib.loads(path.read_text(encoding="utf-8"))
    content["trust"] = judgement.calibration.to_dict()
    path.write_text(toml_text(content), encoding="utf-8")
    print({name: round(weight, 3) for name, weight in judgement.calibration.weights.items()})


if __name__ == "__main__":
    main()
