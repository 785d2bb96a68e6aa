"""Files in an older chemnet's words are read, said, and rewritten with their comments."""

from __future__ import annotations

import logging
import tomllib
from pathlib import Path

import pytest

from chemnet.cli import main
from chemnet.config import ConfigManager, load_config, migrations
from chemnet.config.edit import migrate_file
from chemnet.errors import ConfigError

OLDER = """\
# my set
[preprocess]  # as in the paper
# smaller files
compression = false  # not yet
window = 8

[training]
# enough
epochs = 7  # seven
"""


@pytest.fixture
def older(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file with a value that is spelt anew, and a table whose name is made to be an old one."""
    monkeypatch.setattr(migrations, "MOVED", {("training",): ("train",)})
    path = tmp_path / "older.toml"
    path.write_text(OLDER)
    return path


def test_an_older_file_is_read_with_one_message_that_names_old_and_new(
    older: Path, caplog: pytest.LogCaptureFixture
) -> None:
    manager = ConfigManager([older])
    assert manager.config["preprocess"]["compression"] == "none"
    assert manager.config["train"]["epochs"] == 7
    with caplog.at_level(logging.WARNING, logger="chemnet"):
        manager.announce()
    (message,) = set(caplog.messages)
    assert 'preprocess.compression = false is now "none"; training.epochs is now train.epochs' in message
    assert f"chemnet config --migrate -c {older}" in message


def test_a_word_on_the_command_line_may_be_an_older_one(older: Path) -> None:
    assert load_config(overrides=["training.epochs=3"])["train"]["epochs"] == 3


def test_a_file_is_rewritten_with_its_comments(older: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "--migrate", "-c", str(older)]) == 0
    assert "training.epochs is now train.epochs" in capsys.readouterr().out
    text = older.read_text()
    assert 'compression = "none"  # not yet\n' in text
    assert "# enough\nepochs = 7  # seven\n" in text
    assert tomllib.loads(text)["train"] == {"epochs": 7}
    assert text.startswith("# my set\n[preprocess]  # as in the paper\n# smaller files\n")
    before = load_config([older])
    assert migrate_file(older) == []
    assert load_config([older]) == before
    assert ConfigManager([older]).config["train"]["epochs"] == 7


def test_a_key_that_is_given_by_both_names_is_refused(older: Path) -> None:
    older.write_text("[train]\nepochs = 3\n[training]\nepochs = 4\n")
    with pytest.raises(ConfigError, match=r"train\.epochs is set twice, once by its old name"):
        load_config([older])


def test_the_configuration_of_a_result_is_not_rewritten(older: Path) -> None:
    (older.parent / "result.toml").write_text("")
    with pytest.raises(ConfigError, match="belongs to a result"):
        migrate_file(older)
    assert older.read_text() == OLDER


def test_what_is_refused_for_another_reason_stays_as_it_was(older: Path) -> None:
    older.write_text(OLDER + "epoch = 3\n")
    with pytest.raises(ConfigError, match=r"unknown configuration key 'train\.epoch'"):
        migrate_file(older)
    assert older.read_text() == OLDER + "epoch = 3\n"


def test_every_old_word_stands_for_one_that_exists() -> None:
    keys = ConfigManager().schema.keys
    for place in migrations.MOVED.values():
        assert any(key[: len(place)] == place for key in keys), place
    for key, (old, new) in migrations.RESPELT.items():
        keys[key].accept(new, "here")
        with pytest.raises(ConfigError):
            keys[key].accept(old, "here")
