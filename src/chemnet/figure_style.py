"""The one style of chemnet's figures (`chemnet.mplstyle`): paper width, axes with units, no global state.

Figures are built without pyplot, so that a library call never opens a window nor leaves a figure behind.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from chemnet.config import ConfigDict

_MILLIMETRE = 1.0 / 25.4  # [inch]
#: width of every figure [inch]: 180 mm, a page of most journals
WIDTH = 180.0 * _MILLIMETRE
_STYLE = mpl.rc_params_from_file(Path(__file__).with_name("chemnet.mplstyle"), use_default_template=False)
#: Okabe & Ito's palette, in the order in which lines take their colours
COLOURS: tuple[str, ...] = tuple(_STYLE["axes.prop_cycle"].by_key()["color"])
#: sequential colours of even lightness
COLOUR_MAP = str(_STYLE["image.cmap"])
#: of lines and words beside the data
GREY = "#777777"


@contextmanager
def figure_style() -> Iterator[None]:
    """Build figures in chemnet's style within this block."""
    with mpl.rc_context(_STYLE):
        yield


def paper_figure(height: float, layout: str | None = "constrained") -> Figure:
    """Return an empty figure of paper width; to be called within `figure_style`.

    Parameters
    ----------
    height
        In millimetres.
    layout
        matplotlib's layout engine; None for margins that the caller sets.
    """
    chosen: Any = layout
    return Figure(figsize=(WIDTH, height * _MILLIMETRE), layout=chosen)


def save_figure(figure: Figure, path: str | Path, config: ConfigDict) -> None:
    """Write a figure as an image and, with ``general.pdf_figures``, as a PDF beside it.

    The same figure gives the same bytes.
    """
    path = Path(path)
    with figure_style():
        figure.savefig(path, metadata={"Software": "chemnet"})
        if config["general"]["pdf_figures"]:
            when_and_by: Any = {"Creator": "chemnet", "CreationDate": None}
            figure.savefig(path.with_suffix(".pdf"), metadata=when_and_by)


def positive(values: ArrayLike) -> NDArray[np.float64]:
    """Return values for a logarithmic axis: what is not positive is NaN, which no line passes through.

    Nothing is lifted to a smallest value: two curves that differ below it would look alike.
    """
    array = np.asarray(values, dtype=np.float64)
    return np.where(array > 0.0, array, np.nan)
