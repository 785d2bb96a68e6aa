"""What a key takes: the type of its default, and the marker in the comment above it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chemnet.config.allowed_values import key_spec
from chemnet.errors import ConfigError


def spec(default, comment):
    return key_spec(("table", "key"), default, comment, "defaults.toml:1")


def assert_refused(marked, value, *told):
    with pytest.raises(ConfigError) as caught:
        marked.accept(value, "run.toml:3")
    for text in ("run.toml:3", "table.key", *told):
        assert text in caught.value.message
    assert caught.value.hint


@given(st.lists(st.integers(-3, 3)))
def test_a_marker_bounds_every_item_of_a_list(values):
    marked = spec([4], "[list of int >= 1] widths")
    if all(value >= 1 for value in values):
        assert marked.accept(values, "run.toml:3") == values
    else:
        assert_refused(marked, values, "list of int >= 1")


def test_a_list_may_have_to_hold_something():
    marked = spec([4], "[non-empty list of int >= 1] widths")
    assert marked.comment == "widths"
    assert marked.allowed == "non-empty list of int >= 1"
    assert marked.accept([1], "run.toml:3") == [1]
    assert_refused(marked, [], "is empty", "at least one")
    assert spec([4], "[list of int >= 1] widths").accept([], "run.toml:3") == []


@pytest.mark.parametrize("values", [["4"], [4.5], [True]])
def test_items_of_another_type_are_refused(values):
    assert_refused(spec([], "[list of int] widths"), values, repr(values[0]), "int")


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan")])
@pytest.mark.parametrize("comment", ["a length", "[float > 0] a length", "[float or false] a length"])
def test_a_number_is_finite(value, comment):
    assert_refused(spec(1.0, comment), value, "finite")
    assert_refused(spec([1.0], "lengths"), [1.0, value], "out of range")


@pytest.mark.parametrize("marker", ["path", "result", "path or false"])
@pytest.mark.parametrize("value", ["", "  "])
def test_a_path_is_never_empty(marker, value):
    assert_refused(spec(False, f"[{marker}] a place"), value, "is empty")


@pytest.mark.parametrize("value", ["", " ", "a/b", "a\\b", ".", "..", ".hidden", "/a"])
def test_a_name_is_part_of_a_file_name(value):
    assert_refused(spec(False, "[name] a component"), value, "is no name")


@pytest.mark.parametrize("value", ["emulator", "ae-2 (wide)", "v1.2", False])
def test_other_names_are_taken(value):
    assert spec(False, "[name] a component").accept(value, "run.toml:3") == value


def test_a_remark_in_brackets_is_no_marker():
    marked = spec(1.0, "[yr] a length")
    assert (marked.allowed, marked.comment) == ("float", "[yr] a length")
