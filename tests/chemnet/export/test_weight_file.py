from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from chemnet.errors import ModelError
from chemnet.export.weight_file import read_weight_file, write_weight_file


def test_arrays_and_texts_come_back_as_they_were(tmp_path: Path) -> None:
    file = tmp_path / "weights.bin"
    matrix, numbers = np.arange(6.0, dtype=np.float32).reshape(2, 3), np.array([1, 2, 3])
    write_weight_file(file, {"matrix": matrix, "numbers": numbers, "species": "H\nH2"})
    found = read_weight_file(file)
    assert np.array_equal(found["matrix"], matrix)
    assert np.array_equal(np.ravel(found["numbers"]), numbers)
    assert found["species"] == "H\nH2"


@pytest.mark.parametrize("place", [0.05, 0.5, 0.999])
def test_a_flipped_bit_is_refused(tmp_path: Path, place: float) -> None:
    file = tmp_path / "weights.bin"
    write_weight_file(file, {"matrix": np.ones((50, 50), np.float32)})
    content = bytearray(file.read_bytes())
    content[int(place * len(content))] ^= 4
    file.write_bytes(content)
    with pytest.raises(ModelError, match=r"damaged|no weight file|format"):
        read_weight_file(file)


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(b"PK\x03\x04" + bytes(100))
    with pytest.raises(ModelError, match="no weight file"):
        read_weight_file(tmp_path / "weights.bin")
