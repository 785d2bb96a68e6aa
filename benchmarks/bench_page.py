"""How long does the page of a million states take: to make, to show, and to answer a zoom?

    python benchmarks/bench_page.py                  # needs chromium and chromedriver
    python benchmarks/bench_page.py --points 200000

The browser is headless and draws by software; a graphics card is faster.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from figures import Figure, report

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from browser import chromium, wait_until

from chemnet.plots.embedding_page import PageData, centidex, embedding_page

STEPS = 298
SPECIES = ("CO", "H2O", "#H2O", "HCO+", "NH3", "C+", "E-", "#CO")
MEGA = 1e6
ZOOM = """
const done = arguments[0]
const begun = performance.now()
page.zoom(1.3, 300, 300)
requestAnimationFrame(() => requestAnimationFrame(() => {
  const gl = document.getElementById("points").getContext("webgl")
  gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(4))
  done((performance.now() - begun) / 1000)
}))
"""


def made(points: int) -> PageData:
    """Return tracers that wind through a plane."""
    rng = np.random.default_rng(1)
    tracers = -(-points // STEPS)
    walk = rng.normal(0.0, 0.1, (tracers, STEPS, 2)).cumsum(axis=1) + rng.normal(0.0, 3.0, (tracers, 1, 2))
    places = walk.reshape(-1, 2)[:points].astype(np.float32)
    logs = rng.normal(0.0, 0.05, (points, len(SPECIES))).cumsum(axis=0) % 12.0 - 16.0
    step = np.arange(points) % STEPS
    return PageData(
        title="a million states",
        subtitle=f"{points:,} states",
        embedding=places,
        tracer=np.arange(points) // STEPS,
        tracer_names=[str(number) for number in range(tracers)],
        step=step,
        time=step * 3367.0,
        physical={
            name: 10.0 ** rng.normal(2.0, 1.0, points) for name in ("Density", "Radfield", "Av", "gasTemp")
        },
        path=places,
        offsets=np.minimum(np.arange(tracers + 1) * STEPS, points),
        species=SPECIES,
        abundance=centidex(10.0**logs),
    )


def in_browser(html: Path, profile: Path) -> tuple[float, float, float]:
    """Return seconds to the first picture and to a zoom (median of five), and the page's memory [GB]."""
    with chromium(profile) as browser:
        begun = time.perf_counter()
        browser.get(html.as_uri())
        wait_until(browser, "window.page && page.ready")
        shown = time.perf_counter() - begun
        zooms = [float(browser.execute_async_script(ZOOM)) for _ in range(5)]
        heap: Any = browser.execute_script("return performance.memory.totalJSHeapSize")
        return shown, float(np.median(zooms)), heap / 1e9


def main() -> None:
    """Make the page, open it, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, default=1_000_000)
    points = parser.parse_args().points
    data = made(points)
    begun = time.process_time()
    html = embedding_page(data)
    making = time.process_time() - begun
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "page.html"
        path.write_text(html, encoding="utf-8")
        shown, zoom, heap = in_browser(path, Path(folder) / "profile")
    report(
        f"The page of {points:,} states",
        [
            Figure("made in [CPU s]", making, 20.0, at_most=True),
            Figure("size of the page [MB]", len(html) / MEGA),
            Figure("memory while making it [GB]", memory, 1.0, at_most=True),
            Figure("first picture [s]", shown, 5.0, at_most=True),
            Figure("reaction to a zoom [s]", zoom, 0.5, at_most=True),
            Figure("memory of the page's script [GB]", heap, 1.0, at_most=True),
        ],
    )


if __name__ == "__main__":
    main()
