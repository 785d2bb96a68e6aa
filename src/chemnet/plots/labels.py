"""Words on figures: species as chemists write them, lines that carry their own names, plain numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

ABUNDANCE = "abundance per H nucleus"
TIME = "time [kyr]"
_DECLARED_FORMULA = re.compile(r"\{[^{}]*\}")
_ISOTOPE = re.compile(r"\[(\d+)([A-Za-z]+)\]")
_COUNT = re.compile(r"(?<=[A-Za-z)])\d+")
_CHARGE = re.compile(r"\++$|-+$")
_OWN_DOLLAR = "\0"
# mathtext's lower and raised parts, and the characters that stand for theirs
_PLACED = (
    (re.compile(r"_\{([^{}]*)\}"), str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")),
    (re.compile(r"\^\{([^{}]*)\}"), str.maketrans("0123456789+-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻")),
)


def typeset_species(name: str) -> str:
    r"""Return a species' name with subscripts and charge as matplotlib sets them; its letters stay.

    Examples
    --------
    >>> typeset_species("#H2O"), typeset_species("H3+"), typeset_species("$CO"), typeset_species("E-")
    ('#H$_{2}$O', 'H$_{3}^{+}$', '\\$CO', 'e$^{-}$')
    """
    if name == "E-":
        return "e$^{-}$"
    body = _DECLARED_FORMULA.sub("", name.removeprefix("$"))
    charge = _CHARGE.search(body)
    formula = body[: charge.start()] if charge else body
    formula = _COUNT.sub(r"$_{\g<0>}$", _ISOTOPE.sub(r"$^{\1}$\2", formula))
    if charge:
        raised = f"^{{{charge[0]}}}$"
        formula = formula.removesuffix("$") + raised if formula.endswith("}$") else f"{formula}${raised}"
    return rf"\${formula}" if name.startswith("$") else formula


def plain_species(name: str) -> str:
    """Return the same in Unicode, for pages and plain text.

    Examples
    --------
    >>> plain_species("#H2O"), plain_species("H3+"), plain_species("$CO"), plain_species("E-")
    ('#H₂O', 'H₃⁺', '$CO', 'e⁻')
    """
    text = typeset_species(name).replace(r"\$", _OWN_DOLLAR).replace("$", "").replace(_OWN_DOLLAR, "$")
    for part, characters in _PLACED:
        text = part.sub(partial(_placed, characters), text)
    return text


def _placed(characters: dict[int, int], found: re.Match[str]) -> str:
    return found[1].translate(characters)


def typeset_reaction(reaction: str) -> str:
    """Return a reaction such as ``"H + CO+ -> HCO+"`` with its species typeset."""
    sides = (side.split(" + ") for side in reaction.split(" -> "))
    return r" $\rightarrow$ ".join(" + ".join(map(typeset_species, side)) for side in sides)


def plain_log_ticks(axis: Axis) -> None:
    """Label a logarithmic axis with plain numbers at 1, 2 and 5: it may span less than a decade."""
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_formatter(NullFormatter())


def label_lines(axis: Axes, names: Mapping[str, str], gap: float = 0.075) -> None:
    """Write the name of each line beside its right end, in its colour, instead of a legend.

    Parameters
    ----------
    axis
        With the lines, and with its final limits and scales.
    names
        What to write, by the label of the line; others stay unnamed.
    gap
        Least distance between two names, as a fraction of the axis' height.
    """
    lines = [line for line in axis.get_lines() if str(line.get_label()) in names]
    ends = []
    for line in lines:
        values = np.asarray(line.get_ydata(), dtype=np.float64)
        last = values[np.isfinite(values)][-1:]
        ends.append(_height(axis, float(last[0])) if last.size else 0.0)
    for line, height in zip(lines, _apart(ends, gap), strict=True):
        axis.annotate(
            names[str(line.get_label())], (1.0, height), xycoords="axes fraction", xytext=(4, 0),
            textcoords="offset points", va="center", fontsize="small", color=line.get_color(),
        )  # fmt: skip


def _height(axis: Axes, value: float) -> float:
    """Return where a value stands on the y axis, as a fraction of its height."""
    place = axis.transData.transform((axis.get_xlim()[1], value))
    return float(np.clip(axis.transAxes.inverted().transform(place)[1], 0.0, 1.0))


def _apart(heights: Sequence[float], gap: float) -> list[float]:
    """Return heights in the same order that are at least `gap` apart, none above 1."""
    order = np.argsort(heights)
    placed = np.asarray(heights, dtype=np.float64)[order]
    for i in range(1, len(placed)):
        placed[i] = max(placed[i], placed[i - 1] + gap)
    # what was pushed above the top comes down again, and pushes what is beneath it
    ceiling = 1.0
    for i in range(len(placed) - 1, -1, -1):
        placed[i] = min(placed[i], ceiling)
        ceiling = placed[i] - gap
    apart = np.empty_like(placed)
    apart[order] = placed
    return apart.tolist()
