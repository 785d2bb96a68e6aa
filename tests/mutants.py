"""Mutation testing: change one operator or constant of a module, and see whether its own unit tests notice.

    PYTHONPATH=src:tests python tests/mutants.py --sample 150

A mutant that no test kills is printed: its line is not tested, or does not matter.
"""

from __future__ import annotations

import argparse
import ast
import copy
import importlib
import importlib.util
import io
import os
import random
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "chemnet"
#: a module, and the tests that are about it
TESTED = {
    "config/overrides.py": ["config/test_overrides.py", "config/test_toml_limits.py"],
    "config/allowed_values.py": ["config/test_allowed_values.py", "config/test_manager.py"],
    "config/toml_text.py": ["config/test_toml_text.py", "config/test_toml_limits.py"],
    "config/schema.py": ["config/test_manager.py", "config/test_allowed_values.py"],
    "results/digests.py": ["results/test_digests.py", "results/test_result_directories.py"],
    "results/directory.py": ["results/test_result_directories.py", "results/test_verb_inputs.py"],
    "data/scaling.py": ["data/test_scaling.py"],
    "data/preprocess/split_labels.py": ["data/preprocess/test_split_labels.py"],
    "chemistry/network/stoichiometry.py": ["chemistry/network/test_stoichiometry.py"],
    "chemistry/rates/temperature_ranges.py": ["chemistry/rates/test_temperature_ranges.py"],
}
_SWAPS: dict[type, type] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.Add: ast.Sub,
    ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.And: ast.Or, ast.Or: ast.And,
}  # fmt: skip
# of CPU; a changed loop may have no end
MOST_SECONDS = 90


def changed(node: ast.AST) -> bool:
    """Change a node in place; return whether there was anything to change."""
    match node:
        case ast.Compare(ops=[op]) if type(op) in _SWAPS:
            node.ops = [_SWAPS[type(op)]()]
        case ast.BinOp(op=op) | ast.BoolOp(op=op) if type(op) in _SWAPS:
            node.op = _SWAPS[type(op)]()
        case ast.UnaryOp(op=ast.Not()):
            node.op = ast.UAdd()
            node.operand = ast.Call(ast.Name("bool", ast.Load()), [node.operand], [])
        case ast.Constant(value=bool(value)):
            node.value = not value
        case ast.Constant(value=int(value) | float(value)):
            node.value = value + 1
        case ast.IfExp():
            node.body, node.orelse = node.orelse, node.body
        case _:
            return False
    return True


def mutants(file: str) -> Iterator[tuple[str, str]]:
    """Yield place and source of every mutant of a module; decorators stay."""
    tree = ast.parse((SOURCE / file).read_text(encoding="utf-8"))
    decorators = {
        part
        for node in ast.walk(tree)
        for one in getattr(node, "decorator_list", ())
        for part in ast.walk(one)
    }
    for number, node in enumerate(ast.walk(tree)):
        if node in decorators or not changed(copy.copy(node)):
            continue
        mutant = copy.deepcopy(tree)
        other = next(one for place, one in enumerate(ast.walk(mutant)) if place == number)
        before = ast.unparse(node)
        changed(other)
        ast.fix_missing_locations(mutant)
        yield f"{file}:{getattr(node, 'lineno', 0)}: {before}  ->  {ast.unparse(other)}", ast.unparse(mutant)


def is_killed(file: str, source: str) -> bool:
    """Run the tests of a module on a mutant, in a child of this process, which has loaded what is slow."""
    child = os.fork()
    if child == 0:
        most = int(time.process_time()) + MOST_SECONDS
        resource.setrlimit(resource.RLIMIT_CPU, (most, most))
        resourced(file, source)
        os._exit(_tested(TESTED[file]))
    _, status = os.waitpid(child, 0)
    return status != 0


def resourced(file: str, source: str) -> None:
    """Let the import of a module find other source."""
    name = ".".join(["chemnet", *Path(file).with_suffix("").parts])

    class Finder:
        @staticmethod
        def find_spec(wanted: str, path: object = None, target: object = None) -> object:
            if wanted != name:
                return None
            return importlib.util.spec_from_loader(name, loader, origin=str(SOURCE / file))

    class Loader:
        @staticmethod
        def create_module(spec: object) -> None:
            return None

        @staticmethod
        def exec_module(module: ModuleType) -> None:
            module.__file__ = str(SOURCE / file)
            exec(compile(source, str(SOURCE / file), "exec"), vars(module))

    loader: Any = Loader()
    sys.meta_path.insert(0, Finder())  # type: ignore[arg-type]


def _tested(tests: Sequence[str]) -> int:
    import pytest

    words = ["-x", "-q", "-n", "0", "-p", "no:cacheprovider", "-p", "no:randomly", "--no-header"]
    words += [str(ROOT / "tests" / "chemnet" / test) for test in tests]
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        return int(pytest.main(words))


def main() -> int:
    """Try a sample; print what survives and the share that was killed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sample", type=int, default=150)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="modules whose path has this in it")
    words = parser.parse_args()
    for slow in ("h5py", "numba", "numpy", "pandas", "pytest", "scipy.sparse", "torch"):
        importlib.import_module(slow)  # once, for all children

    every = [(file, *mutant) for file in TESTED if words.only in file for mutant in mutants(file)]
    chosen = random.Random(words.seed).sample(every, min(words.sample, len(every)))
    for file in {file for file, _, _ in chosen}:
        if is_killed(file, (SOURCE / file).read_text(encoding="utf-8")):
            raise SystemExit(f"{file}: its tests fail without a change")
    started, killed = time.monotonic(), 0
    for number, (file, place, source) in enumerate(chosen, start=1):
        if is_killed(file, source):
            killed += 1
        else:
            print(f"survived: {place}", flush=True)
        if not number % 10:
            print(f"# {killed} of {number} killed, {time.monotonic() - started:.0f} s", flush=True)
    print(f"{killed} of {len(chosen)} mutants killed ({100 * killed / len(chosen):.0f} %), of {len(every)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
