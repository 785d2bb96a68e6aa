"""Make every picture of the gallery, and the page itself, anew.

    python docs/scripts/make_gallery.py [--work FOLDER]

runs `chemnet demo` and the commands that stand under the other pictures in an empty folder, which takes some
minutes, and writes `docs/how-to/gallery.md`, `docs/how-to/gallery/*.png` and the output that the landing page
shows. Nothing in them is written by hand.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from publish_report import shrunk

from chemnet.results.directory import list_results

PAGE = Path(__file__).resolve().parents[1] / "how-to" / "gallery.md"
FOLDER = PAGE.with_suffix("")
LARGEST = 150_000  # bytes of a picture
DEMO = "chemnet demo"
RECIPE, EMULATOR_RECIPE = "chemnet_demo/demo.toml", "chemnet_demo/demo_emulator.toml"
BENCHMARK = f"chemnet benchmark -c {EMULATOR_RECIPE}"
ANALYSE = f"chemnet analyse simulate CO -c {RECIPE}"


@dataclass(frozen=True)
class Picture:
    """One picture of the page.

    Attributes
    ----------
    file
        Its name in the result.
    title, words
        Above and below it.
    command
        What makes it.
    stage
        The verb or the component of the demo's result that the command makes; empty where the demo has none.
    """

    file: str
    title: str
    words: str
    command: str
    stage: str = ""

    @property
    def name(self) -> str:
        """Its name in the gallery."""
        return f"{self.stage}_{self.file}" if self.file == "curves.png" else self.file


PICTURES = (
    Picture(
        "tracers.png", "What tracers live through",
        "Physical parameters above, abundances below: every tracer in grey, their median, and the bands "
        "that hold 68 and 90 % of them.",
        f"chemnet simulate -c {RECIPE}", "simulate",
    ),
    Picture(
        "curves.png", "How a training went",
        "Losses, errors of the validation tracers, learning rate; the dotted line is the epoch whose "
        "weights are kept.",
        f"chemnet train -c {EMULATOR_RECIPE}", "demo_emulator",
    ),
    Picture(
        "embedding.png", "The latent space",
        "Every state in two dimensions, coloured by each physical parameter and by time. Arrows on a colour"
        " bar: values beyond its ends.",
        f"chemnet umap -c {RECIPE}", "umap",
    ),
    Picture(
        "trajectories.png", "Truth and surrogate along tracers",
        "A typical tracer and the worst one, from the initial state alone.", BENCHMARK, "benchmark",
    ),
    Picture(
        "error_by_step.png", "Error against time",
        "The surrogate beside what learns nothing: the nearest training state, and no change at all.",
        BENCHMARK, "benchmark",
    ),
    Picture(
        "worst_species.png", "The species that are predicted worst",
        "Mean and 99th percentile of the error of each.",
        BENCHMARK, "benchmark",
    ),
    Picture(
        "error_map.png", "Where in density and temperature",
        "The fewer states a mean is taken over, the paler it is.", BENCHMARK, "benchmark",
    ),
    Picture(
        "conservation.png", "What is conserved",
        "The largest drift of any element and the largest net charge, beside those of the truth itself.",
        BENCHMARK, "benchmark",
    ),
    Picture(
        "risk_coverage.png", "What trust is worth",
        "The error of what is kept when the least trusted states are left out, with standard errors over "
        "tracers; right: expected beside true errors.",
        BENCHMARK, "benchmark",
    ),
    Picture(
        "error_against_cost.png", "What an error costs",
        "Error against CPU time, for the solver at several tolerances, the surrogate, and the solver behind"
        " the surrogate.",
        BENCHMARK, "benchmark",
    ),
    Picture(
        "long_rollout.png", "Ten times as long as the tracers",
        "Under constant parameters a chemistry comes to rest; the figures in the legend are those of the "
        "report.", BENCHMARK, "benchmark",
    ),
    Picture(
        "budget_CO.png", "What forms and destroys a species",
        "Abundance and the fluxes of the main reactions along a tracer.", ANALYSE,
    ),
    Picture(
        "routes_CO.png", "Its main routes",
        "What it is made from and what it turns into, by share of the flux.", ANALYSE,
    ),
    Picture(
        "graph_CO.png", "The network around a species",
        "Lines are the thicker the more reactions they stand for; beside each species, their number and "
        "what it reacts with.",
        "chemnet network collapse --species CO",
    ),
)  # fmt: skip
HEAD = f"""# Gallery

Made by `docs/scripts/make_gallery.py`. `{DEMO}` runs all commands that name its recipes in `chemnet_demo/`,
but `analyse`; a set this small shows what each picture tells, not how good a surrogate gets. All are 180 mm
wide, the width of a page. Set `general.pdf_figures = true` for a PDF beside each PNG; from Python
`result.plot()` gives the matplotlib figure.
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the commands and write page, pictures and outputs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--work", type=Path, help="where the commands run; what ran there before is not run again"
    )
    given = parser.parse_args(arguments).work
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(given or temporary).resolve()
        work.mkdir(parents=True, exist_ok=True)
        printed = run(DEMO, work).replace(f"{work}/", "")
        (FOLDER / "demo.txt").write_text(f"$ {DEMO}\n{printed}", encoding="utf-8")
        made = newest(work)
        paths = {picture.command: made[picture.stage] for picture in PICTURES if picture.stage}
        for picture in PICTURES:
            if picture.command not in paths:
                paths[picture.command] = Path(json.loads(run(f"{picture.command} --json", work))["path"])
            keep(paths[picture.command] / picture.file, picture.name)
    PAGE.write_text("\n".join([HEAD, *map(section, PICTURES)]), encoding="utf-8")


def newest(work: Path) -> dict[str, Path]:
    """Return the demo's results by the component of a training, or by verb."""
    results = list_results(work / "chemnet_demo" / "results")
    return {(one.component or one.verb) if one.verb == "train" else one.verb: one.path for one in results}


def run(command: str, work: Path) -> str:
    """Return what a command of chemnet prints in a folder, or printed there before."""
    printed = work / f"{command.replace('/', '_')}.out"
    if printed.is_file():
        return printed.read_text(encoding="utf-8")
    words = [sys.executable, "-m", *shlex.split(command)]
    done = subprocess.run(words, cwd=work, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{command} failed:\n{done.stderr}")
    printed.write_text(done.stdout, encoding="utf-8")
    return done.stdout


def keep(picture: Path, name: str) -> None:
    """Keep a picture at the width of a page of documentation."""
    shrunk(picture).save(FOLDER / name, optimize=True)
    size = (FOLDER / name).stat().st_size
    if size > LARGEST:
        raise SystemExit(f"{name} has {size:,} bytes; the documentation takes {LARGEST:,}")


def section(picture: Picture) -> str:
    """Return the part of the page that shows a picture."""
    return (
        f"## {picture.title}\n\n![{picture.title}](gallery/{picture.name})\n\n"
        f"```bash\n{picture.command}\n```\n\n{picture.words}\n"
    )


if __name__ == "__main__":
    main()
