"""Put the report of `chemnet benchmark` beside the documentation of a shipped surrogate.

    python docs/scripts/publish_report.py BENCHMARK_RESULT uclchem

copies its `report.md` to `docs/reference/reports/uclchem.md` and its pictures beside it. The page says when
the benchmark ran; nothing in it is written by hand.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from chemnet.results import ResultDirectory

REPORTS = Path(__file__).resolve().parents[1] / "reference" / "reports"
# of a picture in the documentation [pixels], and its colours
WIDTH, COLOURS = 900, 128


def main(arguments: Sequence[str] | None = None) -> None:
    """Copy text and pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("result", type=Path, help="result directory of chemnet benchmark")
    parser.add_argument("name", help="of the shipped surrogate")
    parser.add_argument("--title", help="of the page")
    options = parser.parse_args(arguments)
    result = ResultDirectory.open(options.result)
    REPORTS.mkdir(exist_ok=True)
    text = result.file("report.md").read_text(encoding="utf-8")
    heading, _, body = text.partition("\n")
    title = f"# {options.title}" if options.title else heading
    pictures = sorted(result.path.glob("*.png"))
    for picture in pictures:
        shrunk(picture).save(REPORTS / f"{options.name}_{picture.name}", optimize=True)
    body = re.sub(r"\]\((\w+\.png)\)", rf"]({options.name}_\1)", body)
    made = f"Benchmark of {result.created[:10]}, by chemnet {result.versions['chemnet']}."
    page = "\n\n".join([title, made, body.strip()])
    (REPORTS / f"{options.name}.md").write_text(f"{page}\n", encoding="utf-8")


def shrunk(picture: Path) -> Image.Image:
    """Return a picture at the width of a page, with a palette."""
    image = Image.open(picture).convert("RGB")
    image.thumbnail((WIDTH, 10 * WIDTH))
    return image.quantize(COLOURS)


if __name__ == "__main__":
    main()
