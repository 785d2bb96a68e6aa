"""A journal keeps each entry from the moment it was written, whatever becomes of the others."""

from __future__ import annotations

from pathlib import Path

from chemnet.results import journal


def test_entries_come_back_in_order(tmp_path: Path) -> None:
    file = tmp_path / "done.jsonl"
    assert journal.entries(file) == []
    for number in range(3):
        journal.append(file, {"number": number, "of": {"deep": [1, 2.5, None]}})
    assert journal.entries(file) == [{"number": i, "of": {"deep": [1, 2.5, None]}} for i in range(3)]


def test_half_an_entry_is_none_and_spoils_no_other(tmp_path: Path) -> None:
    file = tmp_path / "done.jsonl"
    journal.append(file, {"number": 0})
    with file.open("a", encoding="utf-8") as stream:
        stream.write('{"number": 1, "of": {"deep": {}}')
    assert [one["number"] for one in journal.entries(file)] == [0]
    journal.append(file, {"number": 2})
    assert [one["number"] for one in journal.entries(file)] == [0, 2]


def test_no_flipped_bit_passes_for_another_entry(tmp_path: Path) -> None:
    file = tmp_path / "done.jsonl"
    journal.append(file, {"number": 7})
    whole = file.read_bytes()
    for place in range(8 * (len(whole) - 1)):
        damaged = bytearray(whole)
        damaged[place // 8] ^= 1 << place % 8
        file.write_bytes(damaged)
        assert journal.entries(file) in ([], [{"number": 7}])
