"""`chemnet demo`: the whole chain on a small set, so that a newcomer sees what each verb makes."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chemnet.config import ConfigDict, ConfigManager, load_config
from chemnet.config.edit import set_in_file
from chemnet.config.toml_text import toml_value
from chemnet.extras import require
from chemnet.progress import get_logger
from chemnet.registry import VERBS, chem_verb
from chemnet.results import Answer
from chemnet.verbs.dry_run import plan_answer
from chemnet.verbs.verb import Verb

RECIPE = "demo.toml"
EMULATOR_RECIPE = "demo_emulator.toml"
_RECIPES = Path(__file__).parents[1] / "config"
_TAKES = "a minute or two; a few more for the first time on a machine, when loops are compiled"
_log = get_logger(__name__)


@dataclass
class DemoRun:
    """What has been made so far.

    Attributes
    ----------
    folder
        Where recipes and results are.
    config, emulator_config
        The two recipes, with what the user set on top.
    results
        Result by stage, in the order in which they were made.
    seconds
        Wall time by stage [s].
    """

    folder: Path
    config: ConfigDict
    emulator_config: ConfigDict
    results: dict[str, Any] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    neighbours: Any = None

    def run(self, verb: str, config: ConfigDict | None = None, **arguments: Any) -> Any:
        """Run one verb of the chain."""
        return VERBS.get(verb)(config or self.config).run(**arguments)


@chem_verb
class Demo(Verb[Answer]):
    """Run every step from tracers to a lookup on a small set."""

    cli_name = "demo"
    description = "run the whole chain on a small set: from tracers to a lookup"
    manager: ConfigManager | None = None

    def run(self, folder: str | Path | None = None) -> Answer:
        """Run the chain, then list what it made and what to do next.

        Parameters
        ----------
        folder
            Where recipes and results go; wins over ``demo.folder``.
        """
        for package in ("umap", "chromadb"):
            require(package, "`chemnet demo`, which shows every verb (chemnet[all]),")
        place = Path(folder or self.config["demo"]["folder"]).resolve()
        place.mkdir(parents=True, exist_ok=True)
        demo = DemoRun(place, self._recipe(place / RECIPE), self._recipe(place / EMULATOR_RECIPE))
        from chemnet.training.parallel.devices import one_thread

        # with networks this small, several threads wait for each other more than they work
        with one_thread():
            for number, (title, stage, step) in enumerate(_STAGES, start=1):
                _log.info("[%d/%d] %s", number, len(_STAGES), title)
                started = time.perf_counter()
                step(demo)
                demo.seconds[stage] = time.perf_counter() - started
        return Answer(_content(demo), "\n".join(_story(demo)), place)

    def plan(self, folder: str | Path | None = None) -> Answer:
        """Return what `run` would make; nothing is written."""
        place = Path(folder or self.config["demo"]["folder"]).resolve()
        stages = "; ".join(title.partition(":")[0] for title, _, _ in _STAGES)
        return plan_answer({}, f"{place}: {RECIPE}, {EMULATOR_RECIPE} and results ({stages})", _TAKES)

    def _recipe(self, path: Path) -> ConfigDict:
        """Write a recipe, with what the user set in files, on the command line or in Python, and read it."""
        shutil.copyfile(_RECIPES / path.name, path)
        for key, value in self._set_by_user():
            set_in_file(path, key, toml_value(value))
        return load_config([path])

    def _set_by_user(self) -> Iterator[tuple[str, Any]]:
        """Yield the dotted keys that the user set, with their values."""
        if self.manager is not None:
            for key, origin in self.manager.origins.items():
                name = ".".join(f'"{part}"' for part in key)
                if not origin.startswith("default"):
                    value = self.config.lookup(name)
                    yield name, list(value) if isinstance(value, tuple) else value


def _simulate(demo: DemoRun) -> None:
    demo.results["simulate"] = demo.run("simulate")


def _preprocess(demo: DemoRun) -> None:
    demo.results["preprocess"] = demo.run("preprocess")


def _train_autoencoder(demo: DemoRun) -> None:
    """Find the small space in which the chemistry happens."""
    demo.results["autoencoder"] = demo.run("train")


def _train_emulator(demo: DemoRun) -> None:
    """Learn how states move in that space."""
    demo.results["emulator"] = demo.run("train", demo.emulator_config)


def _benchmark(demo: DemoRun) -> None:
    """Score the emulator along the tracers that training never saw: the truth, rivals and the solver."""
    emulator = demo.results["emulator"].path
    demo.results["benchmark"] = demo.run("benchmark", demo.emulator_config, surrogate=emulator)


def _encode(demo: DemoRun) -> None:
    demo.results["latents"] = demo.run("infer", model_dir=demo.results["autoencoder"].path)


def _map(demo: DemoRun) -> None:
    """Draw a map of the latent space, as a picture and as a page."""
    demo.results["map"] = demo.run("umap", infer_dir=demo.results["latents"].path)
    demo.results["page"] = demo.run("visualize")


def _store(demo: DemoRun) -> None:
    demo.results["database"] = demo.run("save_to_database", infer_dir=demo.results["latents"].path)


def _look_up(demo: DemoRun) -> None:
    states = demo.results["latents"].dataset
    rows = states.tracer_rows(states.tracer_ids[0])
    demo.neighbours = demo.run("lookup", id=str(states.ids()[rows[len(rows) // 2]]))


_STAGES: tuple[tuple[str, str, Callable[[DemoRun], None]], ...] = (
    ("simulate: the chemistry along made tracers (compiles the solver on first use)", "simulate", _simulate),
    ("preprocess: splits by tracer, scaled", "preprocess", _preprocess),
    ("train an autoencoder: abundances to latents and back", "autoencoder", _train_autoencoder),
    ("train an emulator: latents forward in time", "emulator", _train_emulator),
    ("benchmark: the emulator along tracers that it never saw", "benchmark", _benchmark),
    ("infer: the latents of every state", "latents", _encode),
    ("umap and visualize: a map of the latent space", "map", _map),
    ("save_to_database: every state can be found again", "database", _store),
    ("lookup: have we seen this state before?", "lookup", _look_up),
)


def _content(demo: DemoRun) -> dict[str, Any]:
    """Return what ``--json`` prints."""
    return {
        "path": str(demo.folder),
        "results": {stage: str(result.path) for stage, result in demo.results.items()},
        "seconds": {stage: round(seconds, 2) for stage, seconds in demo.seconds.items()},
        "rollout_error_dex": _errors(demo),
        "lookup": demo.neighbours.to_dict(),
    }


def _story(demo: DemoRun) -> list[str]:
    """Return the text that ends the demo: what was made, what it shows, what to do next."""
    return [
        f"The demo ran the whole chain in {sum(demo.seconds.values()):.0f} s. It made",
        "",
        *_what_was_made(demo),
        "",
        *_what_it_shows(demo),
        "",
        "The nearest known states:",
        "",
        *(f"  {line}" for line in str(demo.neighbours).splitlines()),
        "",
        "What to do next",
        "",
        *_what_is_next(demo),
    ]


def _what_was_made(demo: DemoRun) -> list[str]:
    simulated = demo.results["simulate"].summary
    made = [
        (f"{simulated['tracers']} tracers of {simulated['species']} species", "simulate", "tracers.png"),
        ("an autoencoder", "autoencoder", "curves.png"),
        ("an emulator", "emulator", "curves.png"),
        ("the emulator's report", "benchmark", "report.html"),
        ("the emulator beside the truth", "benchmark", "trajectories.png"),
        ("a map of the latent space", "map", "embedding.png"),
        ("the same, to explore in a browser", "page", "page.html"),
        ("a database of known states", "database", ""),
    ]
    return [f"  {what:<36} {_shown(demo.results[stage].path / file)}" for what, stage, file in made]


def _what_it_shows(demo: DemoRun) -> list[str]:
    """Return how good the emulator is, and how little that says."""
    errors, steps = _errors(demo), demo.results["benchmark"].metrics["data"]["steps"] - 1
    emulator, nearest = errors["rollout"], errors["nearest_neighbour"]
    return [
        f"From the initial state alone, the emulator follows {steps} steps of tracers that training never",
        f"saw to {emulator:.2f} dex, the mean over species and steps; the nearest state that",
        f"training saw gives {nearest:.2f} dex. A set this small shows how the chain works, not how good",
        "it gets: that takes thousands of tracers.",
    ]


def _errors(demo: DemoRun) -> dict[str, float]:
    """Return the mean error of log10 abundances by method [dex]."""
    scores = demo.results["benchmark"].metrics["scores"]
    return {method: scores[method]["mlae"] for method in ("rollout", "nearest_neighbour", "persistence")}


def _what_is_next(demo: DemoRun) -> list[str]:
    """Return commands to try next, each with its purpose."""
    recipe, emulator_recipe = _shown(demo.folder / RECIPE), _shown(demo.folder / EMULATOR_RECIPE)
    steps = [
        (
            "ask for another state",
            f"chemnet lookup -c {recipe} --id {demo.neighbours.to_dict()['query']['id']}",
        ),
        ("see what was made from what", f"chemnet results -c {recipe} --tree"),
        ("simulate more tracers", f"chemnet config --set simulate.n_tracers 1000 -c {recipe}"),
        ("", f"chemnet simulate -c {recipe}"),
        ("and train on them", f"chemnet preprocess -c {recipe}"),
        ("", f"chemnet train -c {recipe}"),
        ("", f"chemnet train -c {emulator_recipe}"),
        ("take your own tracers", "chemnet preprocess data_set.path=FILE"),
        ("take your own network", "chemnet simulate simulate.network=FILE_OR_FOLDER"),
    ]
    return [f"  {purpose:<28} {command}" for purpose, command in steps]


def _shown(path: Path) -> str:
    """Return a path as a person in the working directory would type it."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
