"""What is written as TOML is read back as it was."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chemnet.config import load_config
from chemnet.config.toml_text import toml_text

names = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
plain = st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | names
values = st.recursive(
    plain,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)
documents = st.dictionaries(names, values, max_size=3)


@given(documents)
def test_any_document_is_read_back_as_it_was(document):
    assert tomllib.loads(toml_text(document)) == document


def test_numbers_keep_their_type():
    read = tomllib.loads(toml_text({"whole": 1, "real": 1.0, "tiny": 1e-20, "endless": float("inf")}))
    assert [type(value) for value in read.values()] == [int, float, float, float]


def test_a_whole_configuration_is_read_back_as_it_was():
    config = load_config().to_dict()
    assert tomllib.loads(toml_text(config)) == config


def test_what_toml_cannot_hold_is_refused():
    with pytest.raises(TypeError, match="None"):
        toml_text({"component": None})
