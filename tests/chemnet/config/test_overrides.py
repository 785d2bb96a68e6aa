"""Keys and values as people type them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chemnet.config.overrides import join_key, parse_override, parse_value, split_key
from chemnet.errors import ConfigError

segments = st.text("abcXYZ09_-. ", min_size=1, max_size=8).filter(lambda text: text.strip() == text)


@given(st.lists(segments, min_size=1, max_size=4).map(tuple))
def test_a_joined_key_splits_back(key):
    assert split_key(join_key(key)) == key


@given(
    st.one_of(st.integers(-(10**9), 10**9), st.booleans(), st.floats(allow_nan=False, allow_infinity=False))
)
def test_a_plain_value_survives_the_command_line(value):
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    assert parse_value(text) == value
    assert type(parse_value(text)) is type(value)


@pytest.mark.parametrize(
    ("text", "value"), [("runs/a b", "runs/a b"), ("", ""), ("[1, 2]", [1, 2]), ('"1"', "1")]
)
def test_what_is_no_toml_is_a_string(text, value):
    assert parse_value(text) == value


def test_quotes_protect_the_dots_of_a_class_name():
    assert parse_override("'torch.optim.AdamW'.lr=1e-3") == (("torch.optim.AdamW", "lr"), 0.001)


@pytest.mark.parametrize("word", ["train.epochs", "=3", "a..b=1", "a.'b=1", "a.=1"])
def test_a_word_that_sets_nothing_is_refused(word):
    with pytest.raises(ConfigError, match=r"table\.key|train\.epochs"):
        parse_override(word)
