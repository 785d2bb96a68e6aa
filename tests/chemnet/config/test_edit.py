"""A key is set in a file as its author would set it."""

import tomllib

import pytest

from chemnet.cli import main
from chemnet.config.edit import set_in_file
from chemnet.errors import ConfigError

FILE = """\
# gravity runs
extends = ["base.toml"]

[train]  # as in the paper
epochs = 200     # enough
component = "grav"

[data_set]
path = "tracers.h5"
"""


@pytest.fixture
def file(tmp_path):
    (tmp_path / "base.toml").write_text("[general]\nseed = 3\n")
    path = tmp_path / "grav.toml"
    path.write_text(FILE)
    return path


def test_only_the_value_changes(file):
    set_in_file(file, "train.epochs", "20")
    assert file.read_text() == FILE.replace("epochs = 200", "epochs = 20")


def test_a_new_key_and_a_new_table_are_added_at_their_place(file):
    set_in_file(file, "train.batch_size", 64)
    set_in_file(file, "'torch.optim.AdamW'.lr", "1e-3")
    read = tomllib.loads(file.read_text())
    assert read["train"] == {"epochs": 200, "component": "grav", "batch_size": 64}
    assert read["torch.optim.AdamW"] == {"lr": 1e-3}
    assert "# as in the paper" in file.read_text()


def test_text_and_lists_are_read_as_on_the_command_line(file):
    set_in_file(file, "data_set.path", "other/tracers.h5")
    set_in_file(file, "model.Autoencoder.hidden", "[64, 32]")
    read = tomllib.loads(file.read_text())
    assert read["data_set"]["path"] == "other/tracers.h5"
    assert read["model"]["Autoencoder"]["hidden"] == [64, 32]


@pytest.mark.parametrize(("key", "value"), [("train.epoch", "3"), ("train.epochs", "many"), ("train", "3")])
def test_what_the_configuration_would_refuse_leaves_the_file_as_it_was(file, key, value):
    with pytest.raises(ConfigError):
        set_in_file(file, key, value)
    assert file.read_text() == FILE
    assert sorted(path.name for path in file.parent.iterdir()) == ["base.toml", "grav.toml"]


def test_the_command_writes_into_the_one_file_that_is_given(file, capsys):
    assert main(["config", "--set", "train.epochs", "20", "-c", str(file)]) == 0
    assert "train.epochs = 20" in capsys.readouterr().out
    assert "epochs = 20     # enough" in file.read_text()
    assert main(["config", "--set", "train.epochs", "20"]) == 2
    assert "-c FILE" in capsys.readouterr().err
