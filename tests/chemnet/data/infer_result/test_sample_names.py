"""Sample ids are sorted as text is, however they are sorted."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chemnet.data.infer_result.sample_names import SampleNames
from chemnet.errors import DataError

tracer_ids = st.lists(st.text("ab1-é_", min_size=1, max_size=4), min_size=1, max_size=6, unique=True)


@given(tracer_ids, st.data())
def test_the_order_is_that_of_the_text(ids, data):
    samples = st.tuples(st.integers(0, len(ids) - 1), st.integers(0, 120))
    chosen = data.draw(st.lists(samples, min_size=1, max_size=30, unique=True))
    tracer, step = np.array(chosen).T
    texts = [f"{ids[t]}-{s}" for t, s in chosen]
    if len(set(texts)) < len(texts):
        return  # "a" and "a-1" can give the same id; the next test is about those
    names = SampleNames(ids, 120)
    assert names.of(tracer, step).tolist() == texts
    assert [texts[place] for place in names.order(tracer, step)] == sorted(texts)


@pytest.mark.parametrize(
    ("ids", "tracer", "step", "repeated"),
    [(["a", "b"], [0, 1, 0], [7, 7, 7], "a-7"), (["a", "a-1", "b"], [0, 1, 0], [2, 2, 2], "a-2")],
)
def test_an_id_that_occurs_twice_is_named(ids, tracer, step, repeated):
    with pytest.raises(DataError, match=f"'{repeated}' was inferred twice"):
        SampleNames(ids, 9).order(np.array(tracer), np.array(step))
