"""A file is written whole or not at all."""

import os

import pytest

from chemnet.config.whole_file import is_as_written, with_checksum, write_whole


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


def test_no_byte_of_a_text_with_a_checksum_changes_unseen():
    text = with_checksum("a = 1\nb = 2\n")
    assert is_as_written(text)
    assert is_as_written("without = true\n")
    told = text.splitlines()[0]
    for place in range(len(text)):
        changed = text[:place] + chr(ord(text[place]) ^ 1) + text[place + 1 :]
        assert not is_as_written(changed) or changed.splitlines()[1:] == ["a = 1", "b = 2"]
        assert place > len(told) or not is_as_written(text[: len(told) + 1 + place % 12])
