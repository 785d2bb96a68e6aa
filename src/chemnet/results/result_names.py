"""The ways in which results are called: by path, by directory name, or by the name of a component."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from chemnet.errors import nearest, suggest
from chemnet.results.directory import ResultDirectory, list_results
from chemnet.results.layout import PARTIAL_PREFIX

# results that a hint lists at most
_LISTED = 3


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


def names_and_components(results_dir: str | Path, *verbs: str) -> tuple[list[str], set[str]]:
    """Return the names of results, oldest first, and of their components; of some verbs, or of all."""
    results = [one for one in list_results(results_dir) if not verbs or one.verb in verbs]
    return [one.name for one in results], {one.component for one in results if one.component}


def suggest_result(wanted: str, names: Sequence[str], components: Iterable[str] = ()) -> str:
    """Return a hint for a result that is not there: near misses, or else the newest and how many there are.

    Parameters
    ----------
    wanted
        What was asked for.
    names
        Of results, oldest first.
    components
        What else could have been asked for.
    """
    if not names:
        return suggest(wanted, components)
    near = nearest(wanted, [*components, *names])
    if near:
        return f"did you mean {' or '.join(map(repr, near))}?"
    told = "there is" if len(names) == 1 else f"the newest of {len(names)}:"
    return f"{told} {', '.join(names[: -_LISTED - 1 : -1])}; `chemnet results` lists them"


def _first_folder(*paths: Path) -> Path | None:
    return next((path for path in paths if path.is_dir()), None)
