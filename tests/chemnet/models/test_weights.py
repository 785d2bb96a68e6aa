from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from chemnet.errors import ModelError
from chemnet.models import weights


def test_weights_come_back_bit_by_bit(tmp_path: Path) -> None:
    first, second = nn.Linear(3, 2), nn.Linear(3, 2)
    weights.save(first, tmp_path / "w.safetensors")
    weights.load_weights(second, tmp_path / "w.safetensors")
    assert torch.equal(first.weight, second.weight)
    assert [path.name for path in tmp_path.iterdir()] == ["w.safetensors"]


def test_another_shape_is_named_with_both_shapes(tmp_path: Path) -> None:
    weights.save(nn.Linear(3, 2), tmp_path / "w.safetensors")
    with pytest.raises(ModelError, match=r"'weight' is \(2, 3\) in the file and \(4, 3\) in the model"):
        weights.load_weights(nn.Linear(3, 4), tmp_path / "w.safetensors")


def test_missing_and_surplus_tensors_are_named(tmp_path: Path) -> None:
    weights.save(nn.Linear(3, 2, bias=False), tmp_path / "w.safetensors")
    with pytest.raises(ModelError, match="'bias' is absent in the file"):
        weights.load_weights(nn.Linear(3, 2), tmp_path / "w.safetensors")


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    weights.save(nn.Linear(3, 2), path)
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(ModelError, match="no whole safetensors file"):
        weights.load_weights(nn.Linear(3, 2), path)
    with pytest.raises(ModelError, match="no weights file"):
        weights.load_weights(nn.Linear(3, 2), tmp_path / "absent.safetensors")


def test_tensors_that_share_memory_are_written_each(tmp_path: Path) -> None:
    shared = torch.arange(6.0).reshape(2, 3)
    weights.write_tensors(tmp_path / "t.safetensors", {"a": shared, "b": shared, "c": shared.T})
    found = weights.read_tensors(tmp_path / "t.safetensors")
    assert torch.equal(found["a"], found["b"])
    assert torch.equal(found["c"], shared.T)


def test_no_flipped_bit_passes(tmp_path: Path) -> None:
    path = tmp_path / "t.safetensors"
    tensors = {"a": torch.rand(3), "scalar": torch.tensor(2.5)}
    weights.write_tensors(path, tensors, {"told": "something"})
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        try:
            found, told = weights.read_described_tensors(path)
        except ModelError:
            continue
        # what names the digest may be hit: then the tensors are whole
        assert all(torch.equal(found[name], tensor) for name, tensor in tensors.items())
        assert told["told"] == "something"
