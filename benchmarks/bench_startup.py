"""How long does a user wait for `chemnet --help`, and what does `import chemnet` drag in?"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from figures import Figure, report
from timing import cpu_seconds

COMMAND = Path(sys.executable).with_name("chemnet")
HEAVY = (
    "torch",
    "numba",
    "mlflow",
    "chromadb",
    "umap",
    "pandas",
    "numpy",
    "h5py",
    "sklearn",
    "matplotlib",
)


def run(*words: str) -> str:
    """Run a command and return what it printed."""
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def loaded_modules(statement: str) -> list[str]:
    """Return the modules that a fresh interpreter holds after `statement`."""
    return run(sys.executable, "-c", f"{statement}; import sys; print('\\n'.join(sys.modules))").split()


def main() -> None:
    """Measure and print."""
    bare = len(loaded_modules("pass"))
    modules = loaded_modules("import chemnet")
    help_time, help_spread = cpu_seconds(lambda: run(str(COMMAND), "--help"), repeats=9)
    version_time, version_spread = cpu_seconds(lambda: run(str(COMMAND), "--version"), repeats=9)
    python_time, python_spread = cpu_seconds(lambda: run(sys.executable, "-c", "pass"), repeats=9)
    report(
        __doc__ or "",
        [
            Figure("chemnet --help [CPU s]", help_time, 0.25, True, help_spread),
            Figure("chemnet --version [CPU s]", version_time, 0.25, True, version_spread),
            Figure("python -c pass [CPU s], the floor", python_time, spread=python_spread),
            Figure("heavy modules loaded by import chemnet", len(set(HEAVY) & set(modules)), 0, True),
            Figure("modules loaded by import chemnet, beyond Python's own", len(modules) - bare),
        ],
    )


if __name__ == "__main__":
    main()
