"""The figures of a network show what they stand for, without words on top of one another."""

from __future__ import annotations

import itertools

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from chemnet.chemistry.network.neighbourhood import Neighbour, Neighbourhood
from chemnet.chemistry.network.survey import Survey
from chemnet.plots.labels import typeset_species
from chemnet.plots.network_graph import draw_neighbourhood, draw_survey

NAMES = [
    "HCO+",
    "C",
    "OH",
    "#CO",
    "@CO",
    "H2CO",
    "CO2",
    "OCS",
    "CH",
    "C2",
    "O2",
    "CH3OH2+",
    "HNCO",
    "C+",
    "CO+",
    "HOC+",
]


def neighbours(count: int) -> tuple[Neighbour, ...]:
    partners = ("CRPHOT", "PHOTON", "CH3OH2+", "H2CL+", "HE+")
    return tuple(Neighbour(name, count - number, partners) for number, name in enumerate(NAMES[:count]))


def words(figure: Figure) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts if text.get_text()]


@pytest.mark.parametrize("count", [0, 1, 2, 5, 16])
def test_every_neighbour_is_drawn_up_to_the_limit_and_the_rest_is_counted(count):
    figure = draw_neighbourhood(Neighbourhood("CO", 30, 20, neighbours(count), neighbours(1)), most=14)
    shown = words(figure)
    for name in NAMES[: min(count, 14)]:
        assert typeset_species(name) in shown
    assert ("and 2 more species" in shown) == (count == 16)
    assert "made from  (30 reactions)" in shown


@pytest.mark.parametrize("species", ["CO", "#CH3OH"])
def test_no_two_words_of_a_full_graph_overlap(species):
    figure = draw_neighbourhood(Neighbourhood(species, 300, 200, neighbours(16), neighbours(16)), most=14)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    boxes = [(t.get_text(), t.get_window_extent(renderer)) for t in figure.axes[0].texts if t.get_text()]
    page = figure.bbox
    for text, box in boxes:
        assert page.x0 <= box.x0 < box.x1 <= page.x1, f"{text} leaves the page"
    for (one, first), (other, second) in itertools.combinations(boxes, 2):
        assert not first.overlaps(second), f"{one!r} lies on {other!r}"


def test_overview_has_a_bar_for_each_kind_and_a_point_for_each_temperature():
    survey = Survey(
        name="made",
        elements=("H",),
        phases={"gas": 2, "ions": 0},
        kinds={"TWOBODY": 30, "CRP": 2},
        limited=30,
        coverage={"10": 0.5, "300": 1.0},
        never_formed=(),
        never_destroyed=(),
        unused=(),
        imbalances=(),
        n_grain_charges=0,
        refused=(),
        duplicates=(),
    )
    left, right = draw_survey(survey).axes
    assert [bar.get_width() for bar in left.patches] == [30, 2]
    assert list(right.lines[0].get_ydata()) == [50.0, 100.0]
