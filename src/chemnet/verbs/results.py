"""`chemnet results`: what there is, and what was made from what."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from chemnet.errors import ConfigError, NotFoundError, ResultsError
from chemnet.registry import chem_verb
from chemnet.results import Answer, ResultDirectory, list_results
from chemnet.results.digests import NOT_HASHED
from chemnet.results.directory import broken_results, meant_by
from chemnet.results.layout import PARTIAL_PREFIX
from chemnet.results.pruning import remove, superseded
from chemnet.results.result_names import names_and_components, result_folder, suggest_result
from chemnet.results.unfinished_runs import list_partial, remove_unfinished, run_state
from chemnet.text_tables import aligned
from chemnet.verbs.verb import Verb


@chem_verb
class Results(Verb[Answer]):
    """List the results in `general.results_dir`."""

    cli_name = "results"
    description = "list results with status, component and lineage"
    tables = ("general",)
    examples = ("chemnet results --tree", "chemnet results --verify", "chemnet results --prune --keep 2")

    @staticmethod
    def setup_parser(parser: argparse.ArgumentParser) -> None:
        """Add ``--tree``, ``--verify`` and ``--clean``."""
        parser.add_argument("--tree", action="store_true", default=None, help="show what was made from what")
        parser.add_argument(
            "--verify",
            action="store_true",
            default=None,
            help="read every file and compare it with its digest; exit code 2 where something is broken",
        )
        parser.add_argument(
            "--clean",
            action="store_true",
            default=None,
            help="delete what unfinished runs left behind; running ones and those of other machines stay",
        )
        parser.add_argument(
            "--prune",
            action="store_true",
            default=None,
            help="list results that newer ones of their verb and component replaced; --yes deletes them",
        )
        parser.add_argument("--keep", type=int, metavar="N", help="how many of each kind stay (1)")
        parser.add_argument("--yes", action="store_true", default=None, help="do what --prune lists")
        parser.add_argument("--open", metavar="RESULT", help="show a result's page or pictures")

    def run(
        self,
        tree: bool = False,
        clean: bool = False,
        verify: bool = False,
        prune: bool = False,
        keep: int = 1,
        yes: bool = False,
        open: str | None = None,
    ) -> Answer:
        """Return a table of results, oldest first, or with `tree` their lineage.

        With `verify` every file of every result is read and compared with its digest instead. With `clean`
        the hidden directories of runs that have ended are deleted and named; a run that could have been
        resumed cannot be any more. With `prune` those results are listed that are none of the newest `keep`
        of their verb and component and that nothing which stays was made from; with `yes` they are deleted.
        With `open` the page or the pictures of a result are shown.

        Raises
        ------
        NotFoundError
            When there is nothing to list.
        """
        if clean:
            return self._clean()
        if verify:
            return self._verify()
        if prune:
            return self._prune(keep, yes)
        if open is not None:
            return self._open(open)
        results_dir = Path(self.config["general"]["results_dir"])
        results = list_results(results_dir)
        partial = [_partial_row(path) for path in list_partial(results_dir)]
        rows = [_row(result) for result in results] + partial
        if not rows:
            raise NotFoundError(
                f"no results in {results_dir}",
                hint="`chemnet demo` makes some; general.results_dir says where they are looked for",
            )
        if tree:
            text = "\n".join(_tree_lines(results) + [f"{row['name']}  [{row['status']}]" for row in partial])
        else:
            text = _table(rows)
        return Answer({"results_dir": str(results_dir), "results": rows}, text, results_dir)

    def _verify(self) -> Answer:
        """Compare every file of every result with its digest."""
        results_dir = Path(self.config["general"]["results_dir"])
        rows = [_verified_row(result) for result in list_results(results_dir)]
        rows += [_broken_row(path, error) for path, error in broken_results(results_dir)]
        rows += [
            {**_partial_row(path), "files": None, "faults": [], "state": "not finished: not verified"}
            for path in list_partial(results_dir)
        ]
        broken = sum(bool(row["faults"]) for row in rows)
        lines = [("name", "verb", "files", "state")]
        lines += [(row["name"], row["verb"], _count(row["files"]), row["state"]) for row in rows]
        faults = [f"{row['name']}: {fault}" for row in rows for fault in row["faults"]]
        told = f"{broken} of {len(rows)} are broken" if broken else f"nothing is broken in {results_dir}"
        text = "\n".join([*aligned(lines, right=(), indent=""), *faults, told])
        content = {"results_dir": str(results_dir), "results": rows}
        return Answer(content, text, results_dir, exit_code=2 if broken else 0)

    def _prune(self, keep: int, yes: bool) -> Answer:
        """Name what could go, and let it go where that is confirmed."""
        if keep < 1:
            raise ConfigError(
                f"--keep {keep}: at least 1 result of each kind stays", hint="--keep 1 keeps the newest"
            )
        results_dir = Path(self.config["general"]["results_dir"])
        going = superseded(list_results(results_dir), keep)
        for result in going if yes else ():
            remove(result)
        lines = [f"{'removed' if yes else 'would remove'} {result.name}" for result in going]
        if going and not yes:
            lines.append(f"{len(going)} of them; the same with --yes deletes them")
        text = "\n".join(lines) or f"nothing in {results_dir} has been replaced by newer results"
        content = {
            "results_dir": str(results_dir),
            "removed" if yes else "would_remove": [r.name for r in going],
        }
        return Answer(content, text, results_dir)

    def _open(self, wanted: str) -> Answer:
        """Show the page of a result, or else its pictures."""
        import webbrowser

        results_dir = self.config["general"]["results_dir"]
        folder = result_folder(results_dir, wanted)
        if folder is None:
            known = names_and_components(results_dir)
            raise ResultsError(f"no result {wanted!r}", hint=suggest_result(wanted, *known))
        shown = sorted(folder.glob("*.html")) or sorted(folder.glob("*.png"))
        if not shown:
            raise NotFoundError(
                f"{folder.name} has neither a page nor a picture", hint=f"its files: {folder}"
            )
        opened = [path for path in shown if webbrowser.open(path.resolve().as_uri())]
        told = "opened" if opened else "no program is there to open"
        text = "\n".join(f"{told} {path}" for path in shown)
        return Answer({"files": [str(path) for path in shown], "opened": bool(opened)}, text, folder)

    def _clean(self) -> Answer:
        """Delete what unfinished runs left, and tell which."""
        results_dir = Path(self.config["general"]["results_dir"])
        removed = [path.name for path in remove_unfinished(results_dir)]
        text = "\n".join(f"removed {name}" for name in removed) or f"no unfinished runs in {results_dir}"
        return Answer({"results_dir": str(results_dir), "removed": removed}, text, results_dir)


def _row(result: ResultDirectory) -> dict[str, Any]:
    return {
        "name": result.name,
        "verb": result.verb,
        "component": result.component or "",
        "status": result.status,
        "wall_time_s": result.wall_time_s,
        "parents": {role: reference.path.name for role, reference in result.parents.items()},
    }


def _verified_row(result: ResultDirectory) -> dict[str, Any]:
    """Return a result's row with what is wrong with it, every byte read."""
    faults = [error.message for error in result.faults()]
    unread = len(_files_in(result.path)) - len(result.files)
    state = f"broken: {len(faults)} files" if faults else "whole"
    if unread and not faults:
        state += f" ({unread} files of a database, which lives, have no digest)"
    return {**_row(result), "files": len(result.files), "faults": faults, "state": state}


def _files_in(folder: Path) -> list[Path]:
    """Return the files of a result that could have a digest."""
    return [one for one in folder.rglob("*") if one.is_file() and one.name not in NOT_HASHED]


def _broken_row(path: Path, error: ResultsError) -> dict[str, Any]:
    """Return the row of a folder that should be a result."""
    return {"name": path.name, "verb": "", "files": None, "faults": [error.message], "state": "broken"}


def _count(number: int | None) -> str:
    """Return a number of files as text; empty where nobody counted."""
    return "" if number is None else str(number)


def _partial_row(path: Path) -> dict[str, Any]:
    """Return what the table shows of a run that is under way or broke off."""
    parts = path.name.removeprefix(PARTIAL_PREFIX).split("-")
    state, host = run_state(path)
    return {
        "name": path.name,
        "verb": "-".join(parts[2:-1]),
        "component": "",
        "status": f"unknown (host {host})" if state == "unknown" else state,
        "wall_time_s": None,
        "parents": {},
    }


def _table(rows: list[dict[str, Any]]) -> str:
    cells = [("name", "verb", "component", "status", "wall time", "made from")]
    for row in rows:
        wall = "" if row["wall_time_s"] is None else f"{row['wall_time_s']:.1f} s"
        words = (row[key] for key in ("name", "verb", "component", "status"))
        cells.append((*words, wall, ", ".join(row["parents"].values())))
    return "\n".join(aligned(cells, right=(), indent=""))


def _tree_lines(results: list[ResultDirectory]) -> list[str]:
    """Draw each result once, under the youngest of the results that it was made from."""
    children: dict[Path, list[ResultDirectory]] = {}
    roots = []
    for result in results:
        parents = [found for one in result.parents.values() if (found := meant_by(one, results))]
        if parents:
            youngest = max(parents, key=lambda parent: parent.created)
            children.setdefault(youngest.path, []).append(result)
        else:
            roots.append(result)
    lines: list[str] = []
    for root in roots:
        _draw(root, children, "", lines)
    return lines


def _draw(
    result: ResultDirectory, children: dict[Path, list[ResultDirectory]], indent: str, lines: list[str]
) -> None:
    """Append a result and, indented, what was made from it."""
    component = f" ({result.component})" if result.component else ""
    status = "" if result.status == "done" else f"  [{result.status}]"
    lines.append(f"{indent}{result.name}{component}{status}")
    for child in children.get(result.path, []):
        _draw(child, children, indent + "    ", lines)
