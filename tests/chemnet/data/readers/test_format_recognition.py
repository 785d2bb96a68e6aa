"""Who reads a file: a reader of another package that recognises it, or chemnet's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from chemnet.config import ConfigDict, load_config
from chemnet.data.readers.csv_table import CSVTable
from chemnet.data.readers.format_recognition import open_table
from chemnet.registry import READERS

TEXT = "Tracer,Time,Density,Radfield,Av,gasTemp,CO\n0,0,1e4,1,1,10,1e-4\n0,1,1e4,1,1,10,1e-4\n"


class WithoutHead(CSVTable):
    """Text tables of another package; its own files begin with an exclamation mark."""

    def __init__(self, path: Path, options: ConfigDict) -> None:
        super().__init__(path, decimal="," if options["decimal_comma"] else ".")

    @classmethod
    def recognises(cls, start: bytes) -> bool:
        return start.startswith(b"!")


@pytest.fixture
def options(monkeypatch: pytest.MonkeyPatch) -> ConfigDict:
    monkeypatch.setitem(READERS._classes, "WithoutHead", WithoutHead)
    return load_config()["data_set"]


@pytest.mark.parametrize(("start", "reader"), [("!", WithoutHead), ("", CSVTable)])
def test_a_reader_of_another_package_reads_the_files_that_it_recognises_and_no_others(
    options: ConfigDict, start: str, reader: type, tmp_path: Path
) -> None:
    path = tmp_path / "table.csv"
    path.write_text(start + TEXT, encoding="utf-8")
    assert type(open_table(path, options)) is reader
