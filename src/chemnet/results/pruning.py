"""Which results could go: older than the newest of their kind, and nothing that stays was made from them."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Sequence

from chemnet.results.directory import ResultDirectory, meant_by
from chemnet.results.layout import PARTIAL_PREFIX


def superseded(results: Sequence[ResultDirectory], keep: int) -> list[ResultDirectory]:
    """Return the results that could go, oldest first.

    Of each verb and component the newest `keep` stay, and all that these were made from.

    Parameters
    ----------
    results
        All results of a folder, oldest first.
    keep
        How many of each kind stay, at least 1.
    """
    kinds: defaultdict[tuple[str, str | None], list[ResultDirectory]] = defaultdict(list)
    for result in results:
        kinds[result.verb, result.component].append(result)
    waiting = [result for kind in kinds.values() for result in kind[-keep:]]
    staying: set[str] = set()
    while waiting:
        result = waiting.pop()
        if result.name not in staying:
            staying.add(result.name)
            waiting += [found for one in result.parents.values() if (found := meant_by(one, results))]
    return [result for result in results if result.name not in staying]


def remove(result: ResultDirectory) -> None:
    """Delete a result: first it loses its name, so that no half of it is ever seen."""
    hidden = result.path.with_name(f"{PARTIAL_PREFIX}{result.name}")
    result.path.rename(hidden)
    shutil.rmtree(hidden)
