"""A verb: count how many species are present in each split."""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar

from chemnet import Verb, chem_verb
from chemnet.results import ResultWriter, VerbResult, resolve_input


class CensusResult(VerbResult):
    """How many species each split holds above the threshold."""

    verb = "census"

    @property
    def counts(self) -> dict[str, int]:
        """Number of species present, by split."""
        return json.loads(self.directory.file("census.json").read_text(encoding="utf-8"))


@chem_verb
class Census(Verb):
    """Count the species that ever exceed ``census.threshold``."""

    cli_name = "census"
    description = "count the species that are present in each split"
    inputs: ClassVar = {"census.preprocess_dir": "preprocess"}

    def run(self, preprocess_dir: str | Path | None = None) -> CensusResult:
        """Count in the newest preprocess result, or in the one that is named.

        Parameters
        ----------
        preprocess_dir
            Path or directory name; wins over ``census.preprocess_dir``.
        """
        from chemnet.data.preprocessed import PreprocessedData

        config = self.config
        if preprocess_dir is not None:
            config = config.replace({"census.preprocess_dir": str(preprocess_dir)})
        data_result = resolve_input(config, "census.preprocess_dir", verb="preprocess")
        data = PreprocessedData(data_result)
        threshold = config["census"]["threshold"]
        with ResultWriter(config, verb=self.cli_name, parents={"preprocess": data_result}) as writer:
            counts = {
                split: int((data.split(split).abundance[:] > threshold).any(axis=0).sum())
                for split in ("train", "validate", "test")
            }
            (writer.path / "census.json").write_text(json.dumps(counts), encoding="utf-8")
            writer.summary.update(counts)
        return CensusResult(writer.result)
