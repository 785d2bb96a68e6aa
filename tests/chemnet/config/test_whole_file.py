"""A file is written whole or not at all."""

import os

import pytest

from chemnet.config.whole_file import write_whole


def test_who_is_killed_while_writing_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "runtime_config.toml"
    write_whole(path, "old")

    def die(descriptor):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", die)
    with pytest.raises(KeyboardInterrupt):
        write_whole(path, "new")
    assert path.read_text() == "old"
    monkeypatch.undo()
    write_whole(path, "new")
    assert path.read_text() == "new"
    assert [one.name for one in tmp_path.iterdir()] == ["runtime_config.toml"]
