"""Speeds say why no solver stands beside the surrogate."""

from __future__ import annotations

from chemnet.surrogate.evaluation.speed import network_of


def test_data_without_a_simulation_as_parent_have_no_network_and_the_reason_is_told(tiny_data, surrogate):
    reason = network_of(tiny_data.directory, surrogate)
    assert isinstance(reason, str)
    assert f"{tiny_data.directory.name} has no result of `chemnet simulate` as its parent" in reason
