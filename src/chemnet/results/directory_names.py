"""The ways in which results are called: by path, by directory name, or by the name of a component."""

from __future__ import annotations

from pathlib import Path

from chemnet.results.directory import ResultDirectory, list_results
from chemnet.results.layout import PARTIAL_PREFIX


def result_folder(results_dir: str | Path, wanted: str) -> Path | None:
    """Return the folder with this path, or this name in `results_dir`, or None."""
    return _first_folder(Path(wanted), Path(results_dir) / wanted)


def run_folder(results_dir: str | Path, wanted: str) -> Path | None:
    """Return the folder of a result or, by its hidden or its future name, of a run that is not finished."""
    found = result_folder(results_dir, wanted)
    return found or _first_folder(Path(results_dir) / f"{PARTIAL_PREFIX}{wanted}")


def newest_of_component(results_dir: str | Path, verb: str, component: str) -> ResultDirectory | None:
    """Return the newest result of `verb` for this component, or None."""
    found = [result for result in list_results(results_dir, verb) if result.component == component]
    return found[-1] if found else None


def names_of(results_dir: str | Path, verb: str | None = None) -> list[str]:
    """Return every name by which a result can be called: of directories and of components."""
    results = list_results(results_dir, verb)
    return [result.name for result in results] + [result.component for result in results if result.component]


def _first_folder(*paths: Path) -> Path | None:
    return next((path for path in paths if path.is_dir()), None)
