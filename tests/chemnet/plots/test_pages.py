"""The page holds all that it shows, and works in a browser without any network."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import numpy as np
import pytest
from browser import chromium, requested_over_network, wait_until

from chemnet.plots.pages import PageData, embedding_page

N_TRACERS, N_STEPS = 4, 12
SPECIES = ("H2", "CO")
# finds the view of the plot, and from it where a point stands on the screen
PLACE_OF_POINT = """
const find = (view, model) => view.model === model ? view
  : (view.child_views ?? []).map((child) => find(child, model)).find((found) => found)
const document_ = Bokeh.documents[0]
const plot = document_.get_model_by_name("plot")
const view = [...Bokeh.index.roots].map((root) => find(root, plot)).find((found) => found)
const data = document_.get_model_by_name("points").data
const box = view.canvas_view.el.getBoundingClientRect()
const x = view.frame.x_scale.compute(data.x[arguments[0]])
const y = view.frame.y_scale.compute(data.y[arguments[0]])
return [box.left + x, box.top + y]
"""
# follows the shadow roots that Bokeh's widgets live in
CHOOSE = """
const below = (element) => element.shadowRoot ? selects(element.shadowRoot) : []
const own = (element) => element.tagName === "SELECT" ? [element] : []
const selects = (root) => [...root.querySelectorAll("*")].flatMap((found) => [...own(found), ...below(found)])
const [select] = selects(document)
select.value = arguments[0]
select.dispatchEvent(new Event("change"))
"""
COLOURS = "return Array.from(Bokeh.documents[0].get_model_by_name('points').data.colour)"
PATH = "return Array.from(Bokeh.documents[0].get_model_by_name('path').data.x)"
CARD = "return Bokeh.documents[0].get_model_by_name('card').text"


def made_page() -> PageData:
    """Return four tracers of twelve steps on four separate lines."""
    tracer = np.repeat(np.arange(N_TRACERS), N_STEPS)
    step = np.tile(np.arange(N_STEPS), N_TRACERS)
    embedding = np.stack([step, tracer * 3.0 + 0.1 * step], axis=1).astype(np.float32)
    abundance = np.stack([np.full(len(step), 0.5), 10.0 ** -(4.0 + step / 2)], axis=1)
    return PageData(
        title="a map & <its> title",
        subtitle="48 states",
        embedding=embedding,
        tracer=tracer,
        tracer_names=["core <1>", "b", "c", "d"],
        step=step,
        time=step * 100.0,
        physical={"Density": 10.0 ** (3 + step / 3), "gasTemp": 10.0 + step},
        path=embedding,
        offsets=np.arange(N_TRACERS + 1) * N_STEPS,
        species=SPECIES,
        abundance=abundance,
    )


def test_nothing_is_linked_and_text_is_escaped():
    html = embedding_page(made_page())
    assert not re.search(r"""<(?:script|link|img)[^>]+(?:src|href)\s*=\s*["']?(?:https?:)?//""", html)
    assert "core <1>" not in re.sub(r'"name":\[[^]]*\]', "", html)
    assert "<its>" not in html


def test_a_page_without_species_can_be_made():
    page = dataclasses.replace(made_page(), species=(), abundance=np.empty((0, 0)))
    assert "species" in embedding_page(page)


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """The made page in a headless browser."""
    folder = tmp_path_factory.mktemp("page")
    (folder / "page.html").write_text(embedding_page(made_page()), encoding="utf-8")
    with chromium(folder / "profile") as browser:
        browser.get((folder / "page.html").as_uri())
        wait_until(browser, "window.Bokeh && Bokeh.documents.length && Bokeh.documents[0].is_idle")
        yield browser


def click(browser: Any, point: int) -> None:
    """Click on a point of the cloud."""
    from selenium.webdriver.common.actions.action_builder import ActionBuilder

    x, y = browser.execute_script(PLACE_OF_POINT, point)
    action = ActionBuilder(browser)
    action.pointer_action.move_to_location(round(x), round(y)).click()
    action.perform()


def distinct_colours(browser: Any) -> int:
    """Return how many vivid colours the screen shows where the points are."""
    import io

    from matplotlib.image import imread

    pixels = imread(io.BytesIO(browser.get_screenshot_as_png()))[:, :800, :3]
    vivid = pixels[(pixels.max(axis=2) - pixels.min(axis=2)) > 0.25]
    return len(np.unique((vivid * 15).round().astype(int), axis=0))


@pytest.mark.browser
def test_the_points_are_drawn_in_many_colours(opened):
    assert distinct_colours(opened) >= 8


@pytest.mark.browser
def test_choosing_a_column_changes_the_colours(opened):
    opened.execute_script(CHOOSE, "gasTemp")
    np.testing.assert_allclose(opened.execute_script(COLOURS), made_page().physical["gasTemp"])
    opened.execute_script(CHOOSE, "Density")
    np.testing.assert_allclose(
        opened.execute_script(COLOURS), np.log10(made_page().physical["Density"]), atol=0.02
    )


@pytest.mark.browser
def test_choosing_a_species_colours_by_its_logarithm(opened):
    opened.execute_script(CHOOSE, "CO")
    expected = np.log10(made_page().abundance[:, 1])
    np.testing.assert_allclose(opened.execute_script(COLOURS), expected, atol=0.05)
    title = "return Bokeh.documents[0].get_model_by_name('plot').title.text"
    assert opened.execute_script(title) == "log₁₀ n(CO) / n(H nuclei)"


@pytest.mark.browser
def test_a_click_draws_the_path_and_writes_the_card(opened):
    help_text = opened.execute_script(CARD)
    click(opened, 2 * N_STEPS + 5)
    wait_until(opened, f"(() => {{ {PATH} }})().length > 0")
    assert opened.execute_script(PATH) == list(range(N_STEPS))
    card = opened.execute_script(CARD)
    assert "tracer c, step 5" in card
    assert "H2" in card
    # into the void between the lines
    opened.execute_script("Bokeh.documents[0].get_model_by_name('points').selected.indices = []")
    assert opened.execute_script(PATH) == []
    assert opened.execute_script(CARD) == help_text


@pytest.mark.browser
def test_a_tracer_name_cannot_inject_markup(opened):
    click(opened, 3)
    wait_until(opened, f"(() => {{ {CARD} }})().includes('step 3')")
    assert "core &lt;1&gt;" in opened.execute_script(CARD)


@pytest.mark.browser
def test_no_request_leaves_the_page(opened):
    assert requested_over_network(opened) == []
    severe = [entry["message"] for entry in opened.get_log("browser") if entry["level"] == "SEVERE"]
    assert severe == []
