"""The page holds all that it shows, and works in a browser without any network."""

from __future__ import annotations

import dataclasses
import http.client
import io
import re
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from browser import chromium, requested_over_network, wait_until

from chemnet.errors import ConfigError
from chemnet.plots.embedding_page import (
    KnownPoints,
    PageData,
    centidex,
    embedding_page,
    little_endian,
    page_blocks,
)
from chemnet.plots.page_server import PageServer

N_TRACERS, N_STEPS = 4, 12
SPECIES = ("H2", "CO")


def made_page(dimensions: int = 2) -> PageData:
    """Return four tracers of twelve steps on four separate lines."""
    tracer = np.repeat(np.arange(N_TRACERS), N_STEPS)
    step = np.tile(np.arange(N_STEPS), N_TRACERS)
    embedding = np.stack([step, tracer * 3.0 + 0.1 * step, 0.5 * tracer], axis=1).astype(np.float32)
    abundance = np.stack([np.full(len(step), 0.5), 10.0 ** -(4.0 + step / 2)], axis=1)
    return PageData(
        title="a map & <its> title",
        subtitle="48 states",
        embedding=embedding[:, :dimensions],
        tracer=tracer,
        tracer_names=["core <1>", "b", "</script>", "d"],
        step=step,
        time=step * 100.0,
        physical={"Density": 10.0 ** (3 + step / 3), "gasTemp": 10.0 + step},
        path=embedding[:, :dimensions],
        offsets=np.arange(N_TRACERS + 1) * N_STEPS,
        species=SPECIES,
        abundance=centidex(abundance),
        predicted=centidex(abundance * 1.2),
        latents=made_latents(tracer, step),
    )


def made_latents(tracer: np.ndarray, step: np.ndarray) -> np.ndarray:
    """Return latents by which the nearest tracers are the neighbours in number, at the same step."""
    return np.stack([1.0 * tracer**2, 0.01 * step], axis=1).astype(np.float32)


def made_layers() -> PageData:
    """The same with the last two tracers from another result."""
    page = made_page()
    return dataclasses.replace(
        page, layer=(page.tracer >= 2).astype(np.uint8), layer_names=("known", "new <data>")
    )


def made_database() -> PageData:
    """The same beside a database of two tracers, one of which is on the page."""
    tracer, step = np.repeat([0, 1], 5), np.tile(np.arange(5), 2)
    known = KnownPoints(
        "a database", 1000, made_latents(tracer + 1, step), tracer, ("b", "far"), step, step * 100.0
    )
    return dataclasses.replace(made_page(), known=known)


def test_nothing_is_linked_and_text_is_escaped() -> None:
    html = embedding_page(made_page())
    assert not re.search(r"""<(?:script|link|img)[^>]+(?:src|href)\s*=\s*["']?(?:https?:)?//""", html)
    assert "core <1>" not in html
    assert "<its>" not in html
    assert html.count("</script>") == html.count("<script")
    assert "default-src 'none'" in html


def test_a_page_without_species_can_be_made() -> None:
    none = np.empty((0, 0), np.int16)
    page = dataclasses.replace(made_page(), species=(), abundance=none, predicted=None)
    assert "Density" in embedding_page(page)


def test_the_colours_of_a_species_span_what_is_there() -> None:
    none_at_first = centidex(np.repeat([[0.0], [1e-8], [1e-4]], 20, axis=0))
    page = dataclasses.replace(made_page(), species=("#H2O",), abundance=none_at_first, predicted=None)
    column = page_blocks(page)[0]["columns"][-1]
    assert (column["low"], column["high"]) == (-8.0, -4.0)
    assert column["label"] == "#H₂O per H nucleus"


def test_abundances_are_kept_to_a_hundredth_of_a_dex() -> None:
    assert centidex(np.array([0.0, 1e-20, 1e-5, 3.0e-5, 1.0])).tolist() == [-2000, -2000, -500, -452, 0]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A headless browser with the pages of a plane and of a space, as files."""
    folder = tmp_path_factory.mktemp("page")
    pages = {"2": made_page(2), "3": made_page(3), "layers": made_layers(), "database": made_database()}
    for name, data in pages.items():
        (folder / f"page{name}.html").write_text(embedding_page(data), encoding="utf-8")
    with chromium(folder / "profile") as found:
        found.pages = folder
        yield found


def open_page(browser: Any, name: str) -> Any:
    """Open a page anew and wait until it is ready."""
    browser.get((browser.pages / f"page{name}.html").as_uri())
    wait_until(browser, "window.page && page.ready")
    return browser


@pytest.fixture
def opened(browser: Any) -> Any:
    """The page of the plane."""
    return open_page(browser, "2")


@pytest.fixture
def space(browser: Any) -> Any:
    """The page of the three dimensions."""
    return open_page(browser, "3")


def on_stage(browser: Any, point: int) -> tuple[float, float]:
    """Return where a point stands in the window."""
    return tuple(
        browser.execute_script(
            "const box = document.getElementById('drawing').getBoundingClientRect();"
            "const [x, y] = page.place(arguments[0]); return [box.left + x, box.top + y]",
            point,
        )
    )


def point_at(browser: Any, *places: tuple[float, float], press: bool = False, click: bool = False) -> None:
    """Move the pointer along some places of the window."""
    from selenium.webdriver.common.actions.action_builder import ActionBuilder

    action = ActionBuilder(browser)
    pointer = action.pointer_action
    for number, (x, y) in enumerate(places):
        pointer.move_to_location(round(x), round(y))
        if press and number == 0:
            pointer.pointer_down()
    if press:
        pointer.pointer_up()
    if click:
        pointer.click()
    action.perform()


def click(browser: Any, point: int, beside: float = 0.0) -> None:
    """Click on a point of the cloud, or some pixels beside it."""
    x, y = on_stage(browser, point)
    point_at(browser, (x + beside, y), click=True)
    wait_until(browser, f"page.chosen() === {point}")
    wait_until(browser, "document.querySelector('#card h2')")


def text_of(browser: Any, name: str) -> str:
    return browser.execute_script("return document.getElementById(arguments[0]).textContent", name)


def distinct_colours(browser: Any) -> int:
    """Return how many vivid colours the screen shows where the points are."""
    from matplotlib.image import imread

    pixels = imread(io.BytesIO(browser.get_screenshot_as_png()))[:, :800, :3]
    vivid = pixels[(pixels.max(axis=2) - pixels.min(axis=2)) > 0.25]
    return len(np.unique((vivid * 15).round().astype(int), axis=0))


def choose(browser: Any, name: str) -> None:
    browser.execute_script(
        "const field = document.getElementById('colour'); field.value = arguments[0];"
        "field.dispatchEvent(new Event('change'))",
        name,
    )
    wait_until(browser, f"document.getElementById('unit').textContent.startsWith({name!r})")


@pytest.mark.browser
def test_the_points_are_drawn_in_many_colours(opened: Any) -> None:
    assert distinct_colours(opened) >= 8


@pytest.mark.browser
def test_choosing_a_column_changes_the_colours(opened: Any) -> None:
    choose(opened, "gasTemp")
    after = np.array(opened.execute_script("return Array.from(page.shades)"))
    temperature = made_page().physical["gasTemp"]
    low, high = np.quantile(temperature, (0.01, 0.99))
    np.testing.assert_allclose(after, np.clip((temperature - low) / (high - low), 0, 1), atol=1e-5)
    choose(opened, "Density")
    assert not np.array_equal(opened.execute_script("return Array.from(page.shades)"), after)


@pytest.mark.browser
def test_a_species_is_found_by_typing_and_its_value_is_told(opened: Any) -> None:
    choose(opened, "CO")
    assert text_of(opened, "unit") == "CO per H nucleus"
    click(opened, 5)
    assert "3.2×10⁻⁷" in text_of(opened, "card")
    point_at(opened, on_stage(opened, 5))
    wait_until(opened, "!document.getElementById('tip').hidden")
    assert "3.2×10⁻⁷" in text_of(opened, "tip")


@pytest.mark.browser
def test_a_name_that_no_column_has_changes_nothing(opened: Any) -> None:
    unit = text_of(opened, "unit")
    opened.execute_script("return page.choose('CO9')")
    assert text_of(opened, "unit") == unit


@pytest.mark.browser
def test_a_click_within_ten_pixels_draws_the_path_and_writes_the_card(opened: Any) -> None:
    assert "Each point is a state" in text_of(opened, "card")
    click(opened, 1 * N_STEPS + 5, beside=8.0)
    path = np.array(opened.execute_script("return page.path()"))
    places = [opened.execute_script("return page.place(arguments[0])", N_STEPS + i) for i in range(N_STEPS)]
    np.testing.assert_allclose(path, places)
    card = text_of(opened, "card")
    assert "tracer b, step 5" in card
    assert "most abundant" in card
    assert opened.execute_script("return document.querySelectorAll('#card canvas').length") == 1


@pytest.mark.browser
def test_a_click_beside_everything_takes_the_card_away(opened: Any) -> None:
    click(opened, 3)
    x, y = on_stage(opened, 3)
    point_at(opened, (x, y - 40.0), click=True)
    wait_until(opened, "page.chosen() === -1")
    wait_until(opened, "document.getElementById('card').textContent.startsWith('Each point')")


@pytest.mark.browser
def test_a_tracer_name_cannot_inject_markup(opened: Any) -> None:
    click(opened, 3)
    assert "core <1>" in text_of(opened, "card")
    assert "core &lt;1&gt;" in opened.execute_script("return document.getElementById('card').innerHTML")


@pytest.mark.browser
def test_a_lasso_selects_and_writes_csv(opened: Any) -> None:
    opened.find_element("id", "lasso").click()
    (left, top), (right, bottom) = on_stage(opened, 2 * N_STEPS), on_stage(opened, 2 * N_STEPS + 3)
    around = [(left - 9, bottom - 12), (right + 9, bottom - 12), (right + 9, top + 12), (left - 9, top + 12)]
    point_at(opened, *around, press=True)
    wait_until(opened, "page.selected().length > 0")
    assert opened.execute_script("return page.selected()") == [2 * N_STEPS + i for i in range(4)]
    assert "4 states selected" in text_of(opened, "selection")
    lines = opened.execute_script("return page.csv()").splitlines()
    assert lines[0] == "tracer,step,Density,gasTemp,time"
    assert lines[1] == "</script>,0,1000,10,0"
    # programs get the numbers as they are, readers get them with units, one line each
    assert lines[2].split(",")[2] == "2154.435"
    assert "Density [cm⁻³]" in text_of(opened, "selection")
    heights = "return [...document.querySelectorAll('#selection tr')].map((line) => line.offsetHeight)"
    assert max(opened.execute_script(heights)) < 40
    # what a filter hides is not exported
    opened.execute_script("return page.filter('gasTemp', 11, Infinity)")
    assert opened.execute_script("return page.csv()").splitlines() == [lines[0], *lines[2:]]
    assert "3 states selected" in text_of(opened, "selection")


@pytest.mark.browser
def test_a_filter_hides_what_is_outside_and_can_be_dropped(opened: Any) -> None:
    choose(opened, "gasTemp")
    for name, value in (("from", "12"), ("to", "14")):
        opened.find_element("id", name).send_keys(value)
    opened.find_element("id", "keep").click()
    wait_until(opened, "document.querySelectorAll('#filters li').length === 1")
    assert opened.execute_script("return page.shades.filter((shade) => shade >= 0).length") == 3 * N_TRACERS
    assert "gasTemp [K] from 12 to 14" in text_of(opened, "filters")
    assert text_of(opened, "shown").startswith("12 of 48 states are shown")
    opened.find_element("css selector", "#filters button").click()
    wait_until(opened, "page.shades.every((shade) => shade >= 0)")
    assert opened.execute_script("return document.getElementById('shown').hidden")


@pytest.mark.browser
def test_an_empty_range_filters_nothing(opened: Any) -> None:
    opened.find_element("id", "keep").click()
    assert text_of(opened, "filters") == ""
    assert opened.execute_script("return page.shades.every((shade) => shade >= 0)")


@pytest.mark.browser
def test_three_dimensions_turn(space: Any) -> None:
    before = space.execute_script("return page.place(30)")
    box = space.execute_script(
        "const box = document.getElementById('drawing').getBoundingClientRect();"
        "return [box.left + 60, box.top + 60]"
    )
    point_at(space, tuple(box), (box[0] + 90, box[1] + 40), press=True)
    after = space.execute_script("return page.place(30)")
    assert np.hypot(after[0] - before[0], after[1] - before[1]) > 5.0
    assert distinct_colours(space) >= 8


@pytest.mark.browser
def test_a_narrow_window_shows_cloud_and_panel_below_one_another(opened: Any) -> None:
    size = opened.get_window_size()
    opened.set_window_size(500, 800)
    try:
        wide, below = opened.execute_script(
            "const a = document.getElementById('stage').getBoundingClientRect();"
            "const b = document.querySelector('aside').getBoundingClientRect();"
            "return [a.width / document.body.clientWidth, b.top >= a.bottom - 1]"
        )
        assert (wide > 0.95, below) == (True, True)
        # the whole cloud is still seen
        assert opened.execute_script(
            "return page.shades.every((_, i) => page.place(i)[0] > 0 && page.place(i)[0] < page.view.wide)"
        )
    finally:
        opened.set_window_size(size["width"], size["height"])


@pytest.mark.browser
def test_the_legend_tells_results_apart_and_hides_them(browser: Any) -> None:
    opened = open_page(browser, "layers")
    assert text_of(opened, "unit") == "result"
    shades = np.array(opened.execute_script("return Array.from(page.shades)"))
    np.testing.assert_allclose(shades, np.repeat([0.25, 0.75], 24))
    assert "new <data>" in text_of(opened, "legend")
    opened.find_elements("css selector", "#legend input")[1].click()
    wait_until(opened, "page.shades.filter((shade) => shade >= 0).length === 24")
    opened.execute_script("return page.filter('gasTemp', 10, 12)")
    assert opened.execute_script("return page.shades.filter((shade) => shade >= 0).length") == 2 * 3


@pytest.mark.browser
def test_a_new_state_is_told_by_its_result_and_its_nearest_known_states(browser: Any) -> None:
    opened = open_page(browser, "layers")
    click(opened, 2 * N_STEPS + 5)
    wait_until(opened, "document.querySelectorAll('#card table.choice tr').length > 1")
    card = text_of(opened, "card")
    assert "new <data>" in card
    assert "the states of known on this page" in card
    nearest = opened.execute_script("return page.nearestKnown(page.chosen())")
    assert nearest[0]["state"] == 1 * N_STEPS + 5
    assert nearest[0]["distance"] == pytest.approx(3.0, abs=1e-3)
    opened.find_element("css selector", "#card table.choice tr:nth-child(2)").click()
    wait_until(opened, f"page.chosen() === {N_STEPS + 5}")


@pytest.mark.browser
def test_the_nearest_known_states_are_sought_in_the_database_that_is_given(browser: Any) -> None:
    opened = open_page(browser, "database")
    click(opened, 1 * N_STEPS + 3)
    wait_until(opened, "document.querySelectorAll('#card table').length > 1")
    card = text_of(opened, "card")
    assert "10 of 1000 states of a database" in card
    # its own tracer is none of the others
    assert "far, step 3" in card
    assert "b, step" not in card.split("nearest known states")[1].split("most abundant")[0]


@pytest.fixture
def served() -> Iterator[PageServer]:
    """A server of the page of the plane."""
    with PageServer(made_page(), 0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def asked(server: PageServer, path: str, host: str | None = None) -> tuple[int, bytes, dict[str, str]]:
    """Return status, body and headers of an answer."""
    connection = http.client.HTTPConnection(*server.server_address)
    connection.request("GET", path, headers={"Host": host} if host else {})
    answer = connection.getresponse()
    body, headers = answer.read(), dict(answer.getheaders())
    connection.close()
    return answer.status, body, headers


def test_a_server_sends_page_and_numbers_to_who_knows_the_address(served: PageServer) -> None:
    status, page, headers = asked(served, f"/{served.token}/")
    assert status == 200
    assert b"a map &amp; &lt;its&gt; title" in page
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    for name, values in page_blocks(made_page())[1].items():
        assert asked(served, f"/{served.token}/block/{name}")[:2] == (200, little_endian(values))


@pytest.mark.parametrize(
    ("path", "host"),
    [
        ("/", None),
        ("/wrong/", None),
        ("/TOKEN", None),
        ("/TOKEN/block/absent", None),
        ("/TOKEN/", "elsewhere.org"),
    ],
)
def test_a_server_knows_nothing_else(served: PageServer, path: str, host: str | None) -> None:
    status, body, _ = asked(served, path.replace("TOKEN", served.token), host)
    assert (status, body) == (404, b"not found\n")


def test_a_browser_at_the_end_of_a_tunnel_is_answered(served: PageServer) -> None:
    assert asked(served, f"/{served.token}/", "localhost:9999")[0] == 200


def test_a_port_that_is_taken_is_told_with_what_next(served: PageServer) -> None:
    port = served.server_address[1]
    with pytest.raises(ConfigError, match=rf"visualize.port = {port}: Address already in use") as caught:
        PageServer(made_page(), port)
    assert "to 0" in caught.value.hint


@pytest.mark.browser
def test_a_served_page_draws_and_asks_nobody_else(browser: Any, served: PageServer) -> None:
    requested_over_network(browser), browser.get_log("browser")  # those of other pages
    browser.get(served.url)
    wait_until(browser, "window.page && page.ready")
    assert distinct_colours(browser) >= 8
    choose(browser, "CO")
    click(browser, 5)
    wait_until(browser, "document.querySelectorAll('#card table').length > 1")
    assert "3.2×10⁻⁷" in text_of(browser, "card")
    asked_for = requested_over_network(browser)
    assert asked_for
    assert all(url.startswith(served.url) for url in asked_for)
    assert [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []


@pytest.mark.browser
def test_a_page_whose_server_has_ended_says_so(browser: Any) -> None:
    with PageServer(made_page(), 0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        browser.get(server.url)
        wait_until(browser, "window.page && page.ready")
        server.shutdown()
        thread.join()
    browser.execute_script("page.choose('CO').catch(() => {})")
    wait_until(browser, "document.getElementById('wait').textContent.includes('--serve again')")


@pytest.mark.browser
def test_no_request_leaves_the_page(browser: Any) -> None:
    requested_over_network(browser), browser.get_log("browser")  # those of other pages
    opened = open_page(browser, "2")
    choose(opened, "CO")
    click(opened, 5)
    assert requested_over_network(opened) == []
    severe = [entry["message"] for entry in opened.get_log("browser") if entry["level"] == "SEVERE"]
    assert severe == []
