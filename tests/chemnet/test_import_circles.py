"""No two files of chemnet import each other, directly or through others, but for a few that say why."""

from __future__ import annotations

import grimp
import pytest

ALLOWED = {
    # `Network.solve` and its return type: what a user calls on a network, though the solver is above it
    ("chemnet.chemistry.network.network", "chemnet.chemistry.solver.solve"),
    # `Surrogate.load`: what a user calls on the class, though loading makes a Surrogate
    ("chemnet.surrogate.surrogate", "chemnet.surrogate.loading"),
}


@pytest.fixture(scope="module")
def imports() -> dict[str, set[str]]:
    """Each module with those that it imports anywhere: at its top, inside functions, for types alone."""
    graph = grimp.build_graph("chemnet", cache_dir=None)
    return {name: set(graph.find_modules_directly_imported_by(name)) for name in graph.modules}


def reachable(imports: dict[str, set[str]], start: str) -> set[str]:
    """Return the modules that importing one module may bring along."""
    found: set[str] = set()
    waiting = [start]
    while waiting:
        new = imports[waiting.pop()] - found
        found |= new
        waiting += new
    return found


def test_no_file_imports_itself_through_others(imports: dict[str, set[str]]) -> None:
    tree = {name: {one for one in said if (name, one) not in ALLOWED} for name, said in imports.items()}
    assert sorted(name for name in tree if name in reachable(tree, name)) == []


@pytest.mark.parametrize(("file", "imported"), sorted(ALLOWED))
def test_each_allowed_circle_is_still_one(imports: dict[str, set[str]], file: str, imported: str) -> None:
    assert imported in imports[file]
    assert file in reachable(imports, imported)
