"""`Surrogate.rollout` writes what `emulate` returns, a batch at a time, and goes on where it was ended."""

from __future__ import annotations

import errno
import os

import h5py
import numpy as np
import pytest

from chemnet.data.hdf5_output import _Disk
from chemnet.errors import DataError
from chemnet.surrogate.bulk import stream
from chemnet.surrogate.bulk.rollout_file import RolloutFile


@pytest.fixture
def small_batches(monkeypatch):
    """Let a batch be one cell."""
    monkeypatch.setattr(stream, "cells_per_batch", lambda components, n_rows, kept: 1)


@pytest.fixture
def asked(histories):
    """Parameters, abundances at the start and time steps of the test tracers."""
    n_rows = int(histories.valid.sum(axis=1).min())
    return histories.physical[:, :n_rows], histories.abundance[:, 0], histories.dt[:, : n_rows - 1]


def test_the_file_holds_what_emulate_returns(surrogate, asked, small_batches, tmp_path):
    chosen = [surrogate.species[4], surrogate.species[1]]
    result = surrogate.rollout(*asked, output=tmp_path / "rolled.h5", every=3, species=chosen)
    expected = surrogate.emulate(*asked, rows=slice(0, None, 3))[..., [4, 1]]
    np.testing.assert_allclose(result.read(), expected, rtol=1e-5)
    assert result.species == tuple(chosen)
    assert result.rows == tuple(range(0, asked[0].shape[1], 3))
    assert result.cells_done == result.n_cells == len(asked[1])


def test_without_conservation_the_chosen_species_are_those_of_the_decoder(
    surrogate, asked, small_batches, tmp_path
):
    names = [surrogate.species[2]]
    result = surrogate.rollout(*asked, output=tmp_path / "rolled.h5", species=names, conserve=False)
    latents = surrogate.latent_emulate(asked[0], surrogate.encode(asked[1]), asked[2])
    expected = np.stack([surrogate.decode(one)[:, [2]] for one in latents])
    np.testing.assert_allclose(result.read()[:, 1:], expected[:, 1:], rtol=1e-4)
    np.testing.assert_allclose(result.read()[:, 0, 0], asked[1][:, 2], rtol=1e-6)


def test_an_interrupted_rollout_goes_on_where_it_ended(
    surrogate, asked, small_batches, tmp_path, monkeypatch
):
    output, seen = tmp_path / "rolled.h5", []
    predicted = stream._predicted

    def interrupted(*arguments):
        if len(seen) == 1:
            raise KeyboardInterrupt
        seen.append(len(arguments[2]))
        return predicted(*arguments)

    monkeypatch.setattr(stream, "_predicted", interrupted)
    with pytest.raises(KeyboardInterrupt):
        surrogate.rollout(*asked, output=output)
    assert RolloutFile.open(output).cells_done == 1
    counted = []
    monkeypatch.setattr(
        stream, "_predicted", lambda *given: counted.append(len(given[2])) or predicted(*given)
    )
    result = surrogate.rollout(*asked, output=output)
    assert sum(counted) == len(asked[1]) - 1
    np.testing.assert_allclose(result.read(), surrogate.emulate(*asked), rtol=1e-5)
    surrogate.rollout(*asked, output=output)
    assert sum(counted) == len(asked[1]) - 1


def test_a_file_of_another_request_is_refused(surrogate, asked, tmp_path):
    output = tmp_path / "rolled.h5"
    surrogate.rollout(*asked, output=output, every=2)
    with pytest.raises(DataError, match="another request"):
        surrogate.rollout(*asked, output=output, every=3)
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["numbers"] = [1.0]
    with pytest.raises(DataError, match="no file of rollouts"):
        surrogate.rollout(*asked, output=tmp_path / "other.h5")


def test_cells_are_read_from_disk_a_batch_at_a_time(surrogate, asked, small_batches, tmp_path):
    with h5py.File(tmp_path / "cells.h5", "w") as file:
        file["physical"] = asked[0]
        result = surrogate.rollout(file["physical"], asked[1][0], 1000.0, output=tmp_path / "rolled.h5")
    expected = surrogate.emulate(asked[0], np.tile(asked[1][0], (len(asked[0]), 1)), 1000.0)
    np.testing.assert_allclose(result.read(), expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("changes", "told"),
    [({"every": 0}, "every = 0"), ({"species": ["XENON"]}, "no species is called")],
)
def test_what_makes_no_sense_is_refused_in_words(surrogate, asked, tmp_path, changes, told):
    with pytest.raises(DataError, match=told):
        surrogate.rollout(*asked, output=tmp_path / "rolled.h5", **changes)
    with pytest.raises(DataError, match="physical has the shape"):
        surrogate.rollout(asked[0][0], *asked[1:], output=tmp_path / "rolled.h5")


def test_a_batch_never_takes_more_memory_than_is_free(surrogate, monkeypatch):
    kept = stream.Kept(np.arange(300), tuple(range(12)), True)
    monkeypatch.setattr(stream, "free_memory", lambda device: 10**6)
    few = stream.cells_per_batch(surrogate.components, 300, kept)
    monkeypatch.setattr(stream, "free_memory", lambda device: 10**12)
    many = stream.cells_per_batch(surrogate.components, 300, kept)
    assert 1 <= few < many
    assert many % 512 == 0
    assert many * 300 * 12 * 4 < 2**29


def test_cells_that_a_full_disk_refused_do_not_count(surrogate, asked, small_batches, tmp_path, monkeypatch):
    output = tmp_path / "rolled.h5"

    def refuse(disk, data):
        disk._keep(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
        return len(data)

    append = stream.append

    def append_to_a_full_disk(*cells):
        with monkeypatch.context() as full:
            full.setattr(_Disk, "write", refuse)
            append(*cells)

    monkeypatch.setattr(stream, "append", append_to_a_full_disk)
    with pytest.raises(OSError, match="No space left") as caught:
        surrogate.rollout(*asked, output=output)
    assert caught.value.filename == str(output)
    assert RolloutFile.open(output).cells_done == 0
    monkeypatch.setattr(stream, "append", append)
    result = surrogate.rollout(*asked, output=output)
    np.testing.assert_allclose(result.read(), surrogate.emulate(*asked), rtol=1e-5)
