"""A saved surrogate is two files that predict the same numbers anywhere."""

from __future__ import annotations

import numpy as np
import pytest

from chemnet.config.whole_file import with_checksum
from chemnet.errors import ModelError
from chemnet.models.weights import read_tensors
from chemnet.surrogate.surrogate import Surrogate
from chemnet.surrogate.trust.trained_ranges import Domain


@pytest.fixture
def saved(surrogate, tmp_path):
    return surrogate.save(tmp_path / "saved")


def test_what_is_loaded_predicts_the_same_numbers(surrogate, saved, histories):
    loaded = Surrogate.load(saved)
    inputs = (histories.physical, histories.abundance[:, 0], histories.dt)
    np.testing.assert_array_equal(loaded.emulate(*inputs), surrogate.emulate(*inputs))
    assert (loaded.species, loaded.name, loaded.domain) == (surrogate.species, "made", surrogate.domain)
    assert loaded.provenance == surrogate.provenance


def test_it_is_two_files_and_moves_freely(saved, tmp_path, histories):
    assert sorted(path.name for path in saved.iterdir()) == ["surrogate.toml", "weights.safetensors"]
    moved = saved.rename(tmp_path / "elsewhere")
    assert Surrogate.load(str(moved)).species


def test_saving_over_an_older_one_replaces_it(surrogate, saved):
    assert surrogate.save(saved) == saved


def test_a_folder_with_other_files_is_left_alone(surrogate, tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(ModelError, match="no saved surrogate"):
        surrogate.save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("name", ["surrogate.toml", "weights.safetensors"])
def test_a_damaged_file_is_named(saved, name):
    (saved / name).write_bytes(b"\x00damaged")
    with pytest.raises(ModelError, match=name):
        Surrogate.load(saved)


def test_a_damaged_surrogate_is_copied_again_not_trained_again(saved):
    weights = saved / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(ModelError, match="no whole safetensors file") as caught:
        Surrogate.load(saved)
    assert "copy the folder again" in caught.value.hint


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[data]", "[dat]", "'data' is missing"),
        ("[networks.emulator]", "[networks.emulater]", "emulater"),
        ("format = 1", 'format = "x"', "format = 'x' is no number"),
        ("format = 1", "formats = 1", "'format' is missing"),
        ('model = "LatentEmulator"', 'model = "LatentEmulater"', "'LatentEmulater'"),
        ('model = "LatentEmulator"', "model = 3", "describes no surrogate"),
        ("dt_max = ", 'dt_max = "a"\nold = ', "describes no surrogate"),
    ],
)
def test_a_description_that_was_edited_wrongly_is_named(saved, old, new, message):
    description = (saved / "surrogate.toml").read_text()
    assert old in description
    (saved / "surrogate.toml").write_text(with_checksum(description.replace(old, new)))
    with pytest.raises(ModelError, match=rf"surrogate\.toml.*{message}"):
        Surrogate.load(saved)


@pytest.mark.parametrize("source", [None, 3, ""])
def test_what_is_no_name_is_refused(source):
    with pytest.raises(ModelError, match="named by a text or a path"):
        Surrogate.load(source)


def test_weights_of_another_shape_are_refused(saved):
    description = (saved / "surrogate.toml").read_text()
    (saved / "surrogate.toml").write_text(
        with_checksum(description.replace("latent_dim = 3", "latent_dim = 4"))
    )
    with pytest.raises(ModelError, match="does not fit the model"):
        Surrogate.load(saved)


def test_a_later_format_asks_for_an_update(saved):
    description = (saved / "surrogate.toml").read_text()
    (saved / "surrogate.toml").write_text(description.replace("format = 1", "format = 99"))
    with pytest.raises(ModelError, match="format 99"):
        Surrogate.load(saved)


def test_an_autoencoder_that_was_trained_along_is_stored_once(make_parts, tiny_data, tmp_path, histories):
    surrogate = Surrogate(
        make_parts(train_autoencoder=True), Domain.of_training(tiny_data), "made", {"data": {}}
    )
    loaded = Surrogate.load(surrogate.save(tmp_path / "saved"))
    inputs = (histories.physical, histories.abundance[:, 0], histories.dt)
    np.testing.assert_array_equal(loaded.emulate(*inputs), surrogate.emulate(*inputs))
    tensors = read_tensors(tmp_path / "saved" / "weights.safetensors")
    assert sum(name.endswith("output_bias") for name in tensors) == 1


@pytest.mark.parametrize(("precision", "rounding"), [("float16", 0.02), ("bfloat16", 0.2)])
def test_half_precision_halves_the_matrices_and_changes_little(
    surrogate, histories, tmp_path, precision, rounding
):
    whole, half = surrogate.save(tmp_path / "whole"), surrogate.save(tmp_path / "half", precision)
    sizes = [(folder / "weights.safetensors").stat().st_size for folder in (whole, half)]
    networks = surrogate.parts.named.values()
    n_weights = sum(t.numel() for n in networks for t in n.state_dict().values() if t.ndim > 1)
    assert sizes[0] - sizes[1] == pytest.approx(2 * n_weights, abs=200)
    inputs = (histories.physical, histories.abundance[:, 0], histories.dt)
    expected, predicted = (Surrogate.load(folder).emulate(*inputs) for folder in (whole, half))
    assert predicted.dtype == np.float32
    dex = np.abs(np.log10(predicted[:, 1:] / expected[:, 1:]))
    assert 0.0 < dex.mean() < rounding


def test_an_unknown_precision_is_refused_before_anything_is_written(surrogate, tmp_path):
    with pytest.raises(ModelError, match="cannot be saved as 'float8'"):
        surrogate.save(tmp_path / "new", "float8")
    assert not (tmp_path / "new").exists()


def test_a_shipped_surrogate_is_found_by_its_name(surrogate, histories, tmp_path, monkeypatch):
    from chemnet.surrogate import loading

    monkeypatch.setattr(loading, "SHIPPED", tmp_path)
    surrogate.save(tmp_path / "tiny", "float16")
    assert loading.shipped_names() == ["tiny"]
    loaded = Surrogate.load("tiny")
    assert loaded.is_calibrated
    assert np.isfinite(loaded.emulate(histories.physical, histories.abundance[:, 0])).all()
    with pytest.raises(ModelError, match="tiny"):
        Surrogate.load("tinny")


@pytest.mark.parametrize("file", ["surrogate.toml", "weights.safetensors"])
@pytest.mark.parametrize("share", [0.3, 0.7, 0.99])
def test_a_flipped_bit_in_a_saved_surrogate_is_refused(saved, file, share):
    content = bytearray((saved / file).read_bytes())
    content[int(share * len(content))] ^= 1
    (saved / file).write_bytes(content)
    with pytest.raises(ModelError, match=file):
        Surrogate.load(saved)


def test_weights_of_another_save_do_not_pass_for_those_that_were_described(saved, surrogate, tmp_path):
    surrogate.save(tmp_path / "half", "float16")
    (saved / "weights.safetensors").write_bytes((tmp_path / "half" / "weights.safetensors").read_bytes())
    with pytest.raises(ModelError, match=r"weights\.safetensors changed after the surrogate was saved"):
        Surrogate.load(saved)
