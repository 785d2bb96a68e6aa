"""The chain of verbs on tiny data, run stage by stage and once for all pytest workers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock
from workspace import Workspace

EMULATOR = ("model.name=LatentEmulator", "train.component=emulator")
#: the chain as a user types it: stage -> words after `chemnet VERB -c tiny.toml`
STAGES: dict[str, tuple[str, ...]] = {
    "preprocess": ("preprocess",),
    "train": ("train",),
    "infer": ("infer",),
    "umap": ("umap",),
    "visualize": ("visualize",),
    "save_to_database": ("save_to_database",),
    "train_emulator": ("train", *EMULATOR),
    "infer_emulator": ("infer", "infer.model_dir=emulator"),
}


@dataclass(frozen=True)
class Chain(Workspace):
    """A workspace whose stages run in order when asked for, each once for all pytest workers."""

    def path(self, stage: str) -> Path:
        """The result directory of a stage; it and those before it run now if they have not yet."""
        with FileLock(self.folder / "chain.lock"):
            done = self._done()
            for name, words in STAGES.items():
                if stage in done:
                    break
                if name not in done:
                    done[name] = str(self.result(*words))
                    self._record.write_text(json.dumps(done), encoding="utf-8")
        return Path(done[stage])

    @property
    def paths(self) -> dict[str, Path]:
        """The result directories of all stages."""
        return {stage: self.path(stage) for stage in reversed(STAGES)}

    @property
    def _record(self) -> Path:
        """Where the finished stages are noted."""
        return self.folder / "chain.json"

    def _done(self) -> dict[str, str]:
        """The finished stages and their result directories."""
        return json.loads(self._record.read_text(encoding="utf-8")) if self._record.exists() else {}
