"""Without any extra the core of the chain runs, and what is left out is told."""

from __future__ import annotations

import subprocess
import sys

from workspace import Workspace

from chemnet.extras import EXTRAS

# a package that is None in sys.modules cannot be imported
PLAIN = """
import sys
sys.modules.update(dict.fromkeys({hidden!r}))
from chemnet.cli import main
common = ["-c", "tiny.toml", "--quiet"]
for words in {commands!r}:
    code = main([words[0], *common, *words[1:]])
    if code:
        sys.exit(f"{{words}}: {{code}}")
"""


def test_without_extras_the_chain_preprocesses_trains_infers_and_scores(workspace: Workspace) -> None:
    hidden = [package for packages in EXTRAS.values() for package in packages]
    commands = [
        ["preprocess"],
        ["train"],
        ["train", "model.name=LatentEmulator", "train.component=emulator", "train.epochs=1"],
        ["infer", "infer.model_dir=autoencoder"],
        ["benchmark"],
    ]
    done = subprocess.run(
        [sys.executable, "-c", PLAIN.format(hidden=hidden, commands=commands)],
        cwd=workspace.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    # two results of one second are not in the order in which they were made
    verbs = sorted(name.split("-")[2] for name in workspace.made)
    assert verbs == ["benchmark", "infer", "preprocess", "train", "train"]
