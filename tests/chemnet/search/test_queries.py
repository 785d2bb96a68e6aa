"""Queries come as numbers, text or files; what cannot be one is refused by name."""

from __future__ import annotations

import json
import logging

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chemnet.errors import DataError
from chemnet.search.queries import read_abundances, read_vector

SPECIES = ("H2", "CO", "#H2O", "E-")
VALUES = {"H2": 0.5, "CO": 1e-4, "#H2O": 2e-5, "E-": 1e-8}
IN_ORDER = np.array([VALUES[name] for name in SPECIES])

numbers = st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=8)


@given(numbers)
def test_text_gives_back_the_numbers(values):
    for separator in (",", ", ", " ", "\n"):
        text = separator.join(map(repr, values))
        np.testing.assert_array_equal(read_vector(text), np.array(values, dtype=np.float32))


def test_a_vector_is_read_from_numbers_and_files(tmp_path):
    expected = np.array([0.25, -0.5, 1.0], dtype=np.float32)
    np.save(tmp_path / "v.npy", expected.astype(float)[None])
    (tmp_path / "v.csv").write_text("0.25,-0.5,1\n")
    for source in ([0.25, -0.5, 1.0], expected, tmp_path / "v.npy", str(tmp_path / "v.csv")):
        np.testing.assert_array_equal(read_vector(source), expected)


def test_a_vector_that_is_no_number_is_refused():
    with pytest.raises(DataError, match=r"'0\.1,abc' holds something that is no number") as caught:
        read_vector("0.1,abc")
    assert caught.value.exit_code == 2


def write_sources(folder) -> list:
    """Return the same abundances in every form that is read."""
    (folder / "a.json").write_text(json.dumps(VALUES))
    (folder / "pairs.csv").write_text("".join(f"{name}, {value}\n" for name, value in VALUES.items()))
    (folder / "headed.csv").write_text(
        "species,abundance\n" + "".join(f"{n},{v}\n" for n, v in VALUES.items())
    )
    (folder / "wide.csv").write_text(",".join(VALUES) + "\n" + ",".join(map(repr, VALUES.values())) + "\n")
    np.save(folder / "plain.npy", IN_ORDER)
    backwards = np.array([tuple(IN_ORDER[::-1])], dtype=[(name, "f8") for name in SPECIES[::-1]])
    np.save(folder / "named.npy", backwards)
    names = ("a.json", "pairs.csv", "headed.csv", "wide.csv", "plain.npy", "named.npy")
    return [VALUES, IN_ORDER, *(folder / name for name in names)]


def test_abundances_are_read_from_every_form(tmp_path):
    for source in write_sources(tmp_path):
        np.testing.assert_allclose(read_abundances(source, SPECIES), IN_ORDER, err_msg=str(source))


@pytest.mark.parametrize(
    ("source", "message", "hint"),
    [
        ({"H2": 0.5, "C0": 1e-4}, "unknown species 'C0'", "did you mean CO"),
        ({"CO": -1e-4}, "abundance of 'CO' is -0.0001", ">= 0"),
        ({"CO": float("nan")}, "abundance of 'CO' is nan", ">= 0"),
        ({"CO": "much"}, "abundance of 'CO' is 'much', which is no number", None),
        (np.ones(3), "3 values, the model has 4 species", "JSON or CSV"),
    ],
)
def test_abundances_that_cannot_be_are_refused(source, message, hint):
    with pytest.raises(DataError) as caught:
        read_abundances(source, SPECIES)
    assert message in caught.value.message
    assert hint is None or hint in caught.value.hint
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", "{", "is not valid JSON"),
        ("a.json", "[1, 2]", "holds no JSON object"),
        ("a.csv", "CO,1,2\nH2,3\nE-\n", "holds no table of abundances"),
        ("a.csv", "", "holds no table of abundances"),
        ("a.npy", "not numpy", "cannot read"),
        ("missing.json", None, "cannot read"),
    ],
)
def test_files_that_cannot_be_read_are_named(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=message) as caught:
        read_abundances(tmp_path / name, SPECIES)
    assert name in str(caught.value)
    assert caught.value.hint


def test_species_that_are_not_given_are_unknown_and_all_named(caplog):
    with caplog.at_level(logging.WARNING, logger="chemnet"):
        values = read_abundances({"H2": 0.5}, SPECIES)
    np.testing.assert_array_equal(values, [0.5 if name == "H2" else np.nan for name in SPECIES])
    assert "3 of 4 species are not given" in caplog.text
    assert all(name in caplog.text for name in SPECIES if name != "H2")
