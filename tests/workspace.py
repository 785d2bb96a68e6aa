"""A folder to work in: tiny made tracers, a configuration for them, and verbs run on both."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from command_line import Outcome, chemnet, entries
from made_tracers import make_tracers, write_uclchem_table

TINY = """\
[general]
results_dir = "results"
device = "cpu"
log_level = "warning"

[data_set]
path = "tracers.h5"

[preprocess]
window = 8
train_size = 0.6
validate_size = 0.2
test_size = 0.2

[train]
epochs = 3
batch_size = 64
component = "autoencoder"

[umap]
# UMAP compiles for a minute; tests/chemnet/search tests it
reducer = "pca"

[mlflow]
enabled = false

[model.Autoencoder]
hidden = [16, 12]
latent_dim = 3

[model.LatentEmulator]
hidden = [16, 16]
"""


@dataclass(frozen=True)
class Workspace:
    """A folder with `tracers.h5`, `tiny.toml` and `results/`."""

    folder: Path

    @property
    def config(self) -> Path:
        """The configuration file."""
        return self.folder / "tiny.toml"

    @property
    def results(self) -> Path:
        """Where results go."""
        return self.folder / "results"

    @property
    def made(self) -> list[str]:
        """The names of everything in `results/`, hidden names included."""
        return entries(self.results)

    def run(self, verb: str, *words: str | Path) -> Outcome:
        """Run ``chemnet VERB -c tiny.toml --json WORDS`` in this process."""
        return chemnet(verb, "-c", self.config, "--json", *words)

    def result(self, verb: str, *words: str | Path) -> Path:
        """Run a verb that must succeed, and return its result directory."""
        outcome = self.run(verb, *words)
        assert outcome.code == 0, outcome.err
        return outcome.path


def make_workspace(folder: Path) -> Workspace:
    """Fill a folder with tiny made tracers and a configuration for them."""
    folder.mkdir(parents=True, exist_ok=True)
    write_uclchem_table(folder / "tracers.h5", make_tracers())
    (folder / "tiny.toml").write_text(TINY, encoding="utf-8")
    return Workspace(folder)
