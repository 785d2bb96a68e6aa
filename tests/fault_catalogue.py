"""What may go wrong while chemnet runs, verb by verb, and whether anything is lost by it.

After each fault the visible results are whole by digest, and the same command again, or its resume, ends with
what an undisturbed run writes, bit for bit; what was said names the cause and no defect of chemnet.
"""

from __future__ import annotations

import json
import random
import shutil
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chain import EMULATOR
from injected_faults import (
    Child,
    Condition,
    Ended,
    flip,
    run,
    shorten,
    size_on_disk,
    small_disk,
    strike,
)
from made_network import write_made_network
from workspace import Workspace, make_workspace

from chemnet.errors import ChemNetError
from chemnet.results import ResultDirectory, journal, list_results
from chemnet.results.directory import broken_results
from chemnet.results.layout import CONFIG_FILE, RESULT_FILE
from chemnet.results.unfinished_runs import list_partial
from chemnet.training.loop.training_report import read_records

Same = Callable[[Path, Path], bool]


@dataclass(frozen=True)
class Outcome:
    """What became of one injected fault."""

    fault: str
    verb: str
    survived: bool
    lost: str = ""


def equal_files(*patterns: str) -> Same:
    """Return a comparison of all files of these patterns, byte by byte."""

    def contents(folder: Path) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for pattern in patterns for path in folder.glob(pattern)}

    def same(one: Path, other: Path) -> bool:
        return contents(one) == contents(other) != {}

    return same


def equal_trainings(one: Path, other: Path) -> bool:
    """Return whether two trainings have the same weights and figures; times differ."""
    figures = [read_records(folder / "metrics.jsonl") for folder in (one, other)]
    for record in (*figures[0], *figures[1]):
        del record["wall_s"], record["cpu_s"]
    return figures[0] == figures[1] and equal_files("weights*.safetensors")(one, other)


def equal_sweeps(one: Path, other: Path) -> bool:
    """Return whether two sweeps tried the same with the same success."""
    return _equal_journals(one, other, "trials.jsonl", ("slot", "values", "score"))


def equal_studies(one: Path, other: Path) -> bool:
    """Return whether the trainings of two studies have the same errors; names and times differ."""
    return _equal_journals(one, other, "trainings.jsonl", ("study", "value", "errors"))


def _equal_journals(one: Path, other: Path, name: str, keys: Sequence[str]) -> bool:
    """Return whether two journals have the same entries, in any order."""
    found = [
        sorted(json.dumps([entry[key] for key in keys]) for entry in journal.entries(folder / name))
        for folder in (one, other)
    ]
    return found[0] == found[1]


def equal_scores(one: Path, other: Path) -> bool:
    """Return whether two benchmarks scored alike; speeds differ."""
    scores = [json.loads((folder / "metrics.json").read_text())["scores"] for folder in (one, other)]
    return scores[0] == scores[1]


@dataclass(frozen=True)
class Job:
    """A verb as it is run here.

    Attributes
    ----------
    words
        The command.
    needs
        The jobs whose results it reads.
    same
        Whether two results are equal.
    resume
        The words that go on with an unfinished run, if the verb can.
    prepare
        Functions of `injected_faults` that its process calls first.
    """

    words: tuple[str, ...]
    needs: tuple[str, ...]
    same: Same
    resume: tuple[str, ...] = ()
    prepare: tuple[str, ...] = ()

    @property
    def verb(self) -> str:
        """The verb's name."""
        return self.words[0]


_SIMULATE = (
    "simulate.n_tracers=40",
    "simulate.n_steps=9",
    "simulate.workers=1",
    "simulate.network=../house/made",
)
_SWEEP = ("optimizer.lr=1e-2,1e-3", "train.epochs=2")
_STUDY = ("sparse", "model.name=DirectRelaxation", "train.epochs=2", "study.factors=[2]")
JOBS: dict[str, Job] = {
    "simulate": Job(
        ("simulate", *_SIMULATE), (), equal_files("tracers.h5"), ("simulate.resume=latest",), ("closed_form",)
    ),
    "preprocess": Job(("preprocess",), (), equal_files("*.h5", "metadata.json", "*.npy", "splits.json")),
    "train": Job(("train", "train.epochs=6"), ("preprocess",), equal_trainings, ("train.resume=latest",)),
    "train_emulator": Job(
        ("train", *EMULATOR), ("preprocess", "train"), equal_trainings, ("train.resume=latest",)
    ),
    "infer": Job(
        ("infer", "infer.batch_size=40", "infer.model_dir=autoencoder"),
        ("preprocess", "train"),
        equal_files("*.npy", "inference.json"),
        ("infer.resume=latest",),
        ("small_batches",),
    ),
    "sweep": Job(("sweep", *_SWEEP), ("preprocess",), equal_sweeps, ("sweep.resume=latest",)),
    "study": Job(("study", *_STUDY), ("preprocess",), equal_studies, ("study.resume=latest",)),
    "umap": Job(("umap",), ("preprocess", "train", "infer"), equal_files("*.npy"), (), ("small_batches",)),
    "benchmark": Job(
        ("benchmark", "benchmark.solver_tracers=0"), ("preprocess", "train", "train_emulator"), equal_scores
    ),
    "save_to_database": Job(
        ("save_to_database",), ("preprocess", "train", "infer"), equal_files("*.npy"), (), ("small_batches",)
    ),
}


#: the files that an unfinished run goes on from
STATES = {
    "simulate": ("runtime_config.toml", "plan.json", "finished/*.npz"),
    "train": ("runtime_config.toml", "resume.safetensors", "metrics.jsonl"),
    "infer": ("runtime_config.toml", "progress.json", "inputs.json", "batch_0.npy", "rows.npy"),
    "sweep": ("runtime_config.toml", "trials.jsonl"),
    "study": ("runtime_config.toml", "trainings.jsonl"),
}


@dataclass
class House:
    """Undisturbed results of all jobs, made once, and folders with copies of them to break."""

    folder: Path
    made: dict[str, Path] = field(default_factory=dict)
    cpu_s: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.workspace = make_workspace(self.folder / "house")
        write_made_network(self.workspace.folder / "made")
        self._copies = 0

    def result(self, name: str) -> Path:
        """Return the undisturbed result of a job."""
        if name not in self.made:
            for needed in JOBS[name].needs:
                self.result(needed)
            ended = run(command(self.workspace, JOBS[name]), self.workspace.folder, condition(JOBS[name]))
            assert ended.code == 0, ended.err
            self.made[name] = Path(json.loads(ended.out)["path"])
            self.cpu_s[name] = ended.cpu_s
        return self.made[name]

    def copy(self, *names: str) -> Workspace:
        """Return a workspace with copies of the results of some jobs."""
        self._copies += 1
        workspace = Workspace(self.folder / f"copy{self._copies}")
        # copied, not made again: a table holds the second in which it was written
        shutil.copytree(
            self.workspace.folder, workspace.folder, ignore=shutil.ignore_patterns("results", ".*")
        )
        workspace.results.mkdir()
        for name in names:
            shutil.copytree(self.result(name), workspace.results / self.result(name).name)
        return workspace


def command(workspace: Workspace, job: Job, *words: str) -> list[str]:
    """Return the words of a job in a workspace."""
    return [*job.words, "-c", str(workspace.config), "--json", *words]


def condition(job: Job, **faults: Any) -> Condition:
    """Return what a job's process finds, with faults."""
    return Condition(prepare=("undrawn", "take_time", *job.prepare), **faults)


def damage(workspace: Workspace) -> str:
    """Return what is wrong with the visible results, if anything."""
    faults = [error.message for _, error in broken_results(workspace.results)]
    faults += [fault.message for one in list_results(workspace.results) for fault in one.faults()]
    return "; ".join(faults)


def said_badly(ended: Ended) -> str:
    """Return what is wrong with what a process said that ended by itself and not well."""
    if ended.code < 0:
        return ""
    for word in ("Traceback", "defect of chemnet"):
        if word in ended.err:
            return f"it said {ended.err[-400:]!r}"
    return "" if ended.err.strip() else "it ended without a word"


def go_on(house: House, workspace: Workspace, name: str, before: set[str]) -> str:
    """Go on with a job, or run it again, and return what differs from an undisturbed run."""
    job = JOBS[name]
    words = job.resume if _can_go_on(workspace, job, before) else ()
    ended = run(command(workspace, job, *words), workspace.folder, condition(job))
    if ended.code:
        return f"it could not go on: {ended.err[-400:]}"
    if not job.same(Path(json.loads(ended.out)["path"]), house.result(name)):
        return "what came out differs from an undisturbed run"
    return damage(workspace)


def _can_go_on(workspace: Workspace, job: Job, before: set[str]) -> bool:
    """Return whether a job left something to go on with: of a training a state, of others a hidden run."""
    left = [workspace.results / name for name in set(workspace.made) - before if f"-{job.verb}-" in name]
    state = "resume.safetensors" if job.verb == "train" else "runtime_config.toml"
    wanted = (path for path in left if job.verb == "train" or path.name.startswith("."))
    return bool(job.resume) and any((path / state).is_file() for path in wanted)


def stopped(
    house: House, name: str, fault: str, signals: Sequence[signal.Signals], share: float, pause_s: float = 0.0
) -> Outcome:
    """Send signals to a job when it has done a share of its work, then go on."""
    job, workspace = JOBS[name], house.copy(*JOBS[name].needs)
    house.result(name)
    before = set(workspace.made)
    while True:
        at = share * house.cpu_s[name]
        hit, ended = strike(command(workspace, job), workspace.folder, signals, at, condition(job), pause_s)
        if hit:
            break
        share *= 0.7
        for path in set(workspace.made) - before:
            shutil.rmtree(workspace.results / path)
    lost = damage(workspace)
    told = "" if signals[0] == signal.SIGKILL or ended.code == 0 else said_badly(ended)
    lost = lost or go_on(house, workspace, name, before)
    return Outcome(fault, name, not (lost or told), lost or told)


def full_disk(house: House, name: str, limit: int) -> Outcome:
    """Let no file grow beyond a limit; afterwards there is room again."""
    job, workspace = JOBS[name], house.copy(*JOBS[name].needs)
    before = set(workspace.made)
    ended = run(command(workspace, job), workspace.folder, condition(job, file_limit=limit))
    told = said_badly(ended) if ended.code else ""
    if ended.code and not told and str(workspace.results) not in ended.err:
        told = f"it named no folder: {ended.err[-300:]}"
    lost = damage(workspace) or go_on(house, workspace, name, before)
    return Outcome("full disk (RLIMIT_FSIZE)", name, not (lost or told), lost or told)


def small_disk_for(house: House, name: str, share: float) -> Outcome:
    """Run a job on a disk that has room for a share of its result; afterwards there is more."""
    job, workspace = JOBS[name], house.copy()
    inputs = [house.result(one) for one in job.needs]
    taken = sum(map(size_on_disk, inputs))
    with small_disk(workspace.results, taken + int(share * size_on_disk(house.result(name)))) as resize:
        for one in inputs:
            shutil.copytree(one, workspace.results / one.name)
        before = set(workspace.made)
        ended = run(command(workspace, job), workspace.folder, condition(job))
        told = said_badly(ended) if ended.code else ""
        if ended.code and not told and str(workspace.results) not in ended.err:
            told = f"it named no folder: {ended.err[-300:]}"
        lost = damage(workspace)
        resize(2**26)
        lost = lost or go_on(house, workspace, name, before)
    return Outcome("full disk (tmpfs)", name, not (lost or told), lost or told)


def unwritable(house: House, name: str) -> Outcome:
    """Forbid to write into the folder of results."""
    job, workspace = JOBS[name], house.copy(*JOBS[name].needs)
    before = set(workspace.made)
    with permissions(workspace.results, 0o555):
        ended = run(command(workspace, job), workspace.folder, condition(job, may_write=False))
    told = said_badly(ended) if ended.code in (2, 3) else f"exit code {ended.code}: {ended.err}"
    if str(workspace.results) not in ended.err:
        told = told or f"it named no folder: {ended.err[-300:]}"
    lost = damage(workspace) or go_on(house, workspace, name, before)
    return Outcome("read-only folder", name, not (lost or told), lost or told)


@contextmanager
def permissions(folder: Path, mode: int) -> Iterator[None]:
    """Give a folder other permissions inside the block."""
    before = folder.stat().st_mode
    folder.chmod(mode)
    try:
        yield
    finally:
        folder.chmod(before)


def homeless(house: House, name: str) -> Outcome:
    """Run a job without a home and without a folder for caches."""
    return undisturbed(house, name, "no HOME", home=False)


def clock_back(house: House, name: str) -> Outcome:
    """Run a job after the clock went back by a day."""
    return undisturbed(house, name, "clock goes back", clock_s=-86400.0)


def undisturbed(house: House, name: str, fault: str, **faults: Any) -> Outcome:
    """Run a job under a fault that is to change nothing."""
    job, workspace = JOBS[name], house.copy(*JOBS[name].needs)
    ended = run(command(workspace, job), workspace.folder, condition(job, **faults))
    if ended.code:
        return Outcome(fault, name, False, f"exit code {ended.code}: {ended.err[-400:]}")
    same = job.same(Path(json.loads(ended.out)["path"]), house.result(name))
    lost = damage(workspace) or ("" if same else "what came out differs from an undisturbed run")
    return Outcome(fault, name, not lost, lost)


def pair(house: House, name: str) -> Outcome:
    """Start one job twice at the same time."""
    job, workspace = JOBS[name], house.copy(*JOBS[name].needs)
    twins = [Child(command(workspace, job), workspace.folder, condition(job)) for _ in range(2)]
    ended = [twin.ended() for twin in twins]
    lost = damage(workspace)
    for one in ended:
        if one.code:
            lost = lost or f"exit code {one.code}: {one.err[-400:]}"
        elif not job.same(Path(json.loads(one.out)["path"]), house.result(name)):
            lost = lost or "what came out differs from an undisturbed run"
    return Outcome("two at once", name, not lost, lost)


def two_resume(house: House, name: str) -> Outcome:
    """Kill a job in its middle and let two processes go on with it at the same time."""
    job = JOBS[name]
    state = "resume.safetensors" if job.verb == "train" else "runtime_config.toml"
    workspace, _ = _left_by_a_kill(house, name, [state])
    words = command(workspace, job, *job.resume)
    twins = [Child(words, workspace.folder, condition(job)) for _ in range(2)]
    ended = [twin.ended() for twin in twins]
    codes = sorted(one.code for one in ended)
    told = "" if codes[0] == 0 and codes[1] in (0, 2) else f"exit codes {codes}: {[one.err for one in ended]}"
    lost = damage(workspace)
    for one in ended:
        if one.code == 0 and not job.same(Path(json.loads(one.out)["path"]), house.result(name)):
            lost = lost or "what came out differs from an undisturbed run"
    return Outcome("two go on with one run", name, not (lost or told), lost or told)


# --- files ---------------------------------------------------------------------------------------


def damaged_files(house: House, name: str, rng: random.Random) -> Iterator[Outcome]:
    """Flip a bit of each file of a result, shorten it, and take it away: its readers are to say so."""
    made = house.result(name)
    copy = house.copy(name).results / made.name
    # a database changes in use: its files have no digest
    for file in (*ResultDirectory.open(made).files, RESULT_FILE, CONFIG_FILE):
        path, whole = copy / file, (copy / file).read_bytes()
        for fault, do in (("flipped bit", flip), ("missing byte", shorten)):
            do(path, rng.randrange(len(whole)))
            lost = "" if _is_noticed(copy, made, file) else f"{file}: nobody noticed"
            path.write_bytes(whole)
            yield Outcome(f"{fault} in a result", name, not lost, lost)
        path.unlink()
        lost = "" if _is_noticed(copy, made, file) else f"{file}: nobody noticed"
        path.write_bytes(whole)
        yield Outcome("missing file of a result", name, not lost, lost)


def _is_noticed(folder: Path, original: Path, file: str) -> bool:
    """Return whether a result with a damaged file is told apart from a whole one."""
    try:
        opened = ResultDirectory.open(folder)
        opened.verify()
    except ChemNetError:
        return True
    # the words before a checksum may be hit: then what follows is whole
    return file == RESULT_FILE and _content(opened) == _content(ResultDirectory.open(original))


def _content(result: ResultDirectory) -> Any:
    """Return all that a description says."""
    return {**vars(result), "path": None}


def damaged_state(house: House, name: str, rng: random.Random, files: Sequence[str]) -> Iterator[Outcome]:
    """Damage each file that an unfinished run left, and go on with it: refused, or as if it were whole."""
    workspace, left = _left_by_a_kill(house, name, files)
    aside = left.rename(workspace.folder / "aside")
    for file in [path.relative_to(aside) for pattern in files for path in sorted(aside.glob(pattern))[:1]]:
        for fault, do in (("flipped bit", flip), ("missing byte", shorten)):
            shutil.copytree(aside, left)
            do(left / file, rng.randrange((left / file).stat().st_size))
            lost = _goes_on_wrongly(house, workspace, name)
            shutil.rmtree(left, ignore_errors=True)
            lost = f"{file}: {lost}" if lost else ""
            yield Outcome(f"{fault} in an unfinished run", name, not lost, lost)


def _left_by_a_kill(house: House, name: str, files: Sequence[str]) -> tuple[Workspace, Path]:
    """Kill a job as soon as it has written these files; return the workspace and the hidden folder."""
    job, workspace = JOBS[name], house.copy(*JOBS[name].needs)
    house.result(name)  # a job that fails by itself is no fault that was survived
    before = set(workspace.made)

    def left() -> Path | None:
        hidden = [one for one in list_partial(workspace.results) if f"-{job.verb}-" in one.name]
        return next((one for one in hidden if all(any(one.glob(file)) for file in files)), None)

    for _ in range(20):
        child = Child(command(workspace, job), workspace.folder, condition(job))
        child.wait_until(left)
        child.send(signal.SIGKILL)
        child.ended()
        found = left()
        if found is not None:
            return workspace, found
        for path in set(workspace.made) - before:  # it was too quick
            shutil.rmtree(workspace.results / path)
    raise AssertionError(f"{name} ended before it could be killed, again and again")


def _goes_on_wrongly(house: House, workspace: Workspace, name: str) -> str:
    """Go on with a damaged run; return what is wrong with the result, or with what was said."""
    job = JOBS[name]
    ended = run(command(workspace, job, *job.resume), workspace.folder, condition(job))
    if ended.code:
        return said_badly(ended)
    made = Path(json.loads(ended.out)["path"])
    wrong = "" if job.same(made, house.result(name)) else "it went on and ended otherwise"
    shutil.rmtree(made)
    return wrong


def damaged_surrogate(house: House, rng: random.Random) -> Iterator[Outcome]:
    """Damage each file of a saved surrogate: loading it is refused."""
    from chemnet.surrogate.surrogate import Surrogate

    folder = Surrogate.load(house.result("train_emulator")).save(house.folder / "saved")
    for path in sorted(folder.iterdir()):
        whole = path.read_bytes()
        for fault, do in (("flipped bit", flip), ("missing byte", shorten)):
            do(path, rng.randrange(64, len(whole)))
            try:
                Surrogate.load(folder)
                lost = f"{path.name}: nobody noticed"
            except ChemNetError as error:
                lost = "" if path.name in error.message else f"{path.name}: it said {error.message}"
            path.write_bytes(whole)
            yield Outcome(f"{fault} in a saved surrogate", "Surrogate.load", not lost, lost)


def table(outcomes: Sequence[Outcome]) -> list[str]:
    """Return the table of faults: how often each was injected, survived and lost something."""
    rows = ["| fault | injected | survived | lost |", "|---|---:|---:|---:|"]
    for fault in dict.fromkeys(one.fault for one in outcomes):
        these = [one for one in outcomes if one.fault == fault]
        survived = sum(one.survived for one in these)
        rows.append(f"| {fault} | {len(these)} | {survived} | {len(these) - survived} |")
    survived = sum(one.survived for one in outcomes)
    return [*rows, f"| **all** | {len(outcomes)} | {survived} | {len(outcomes) - survived} |"]
