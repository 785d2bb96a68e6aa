"""What chemnet 0.1.0 trained and saved loads, and predicts what it predicted then."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.testing import assert_close

from chemnet.models.model_file import load_trained
from chemnet.models.weights import renamed
from chemnet.registry import MODELS
from chemnet.results import ResultDirectory
from chemnet.surrogate.surrogate import Surrogate

KEPT = Path(__file__).parents[2] / "data" / "version_0_1_0"
# where BLAS is another, sums are taken in another order
ROUNDING = {"rtol": 1e-5, "atol": 1e-6}
MODEL_NAMES = sorted(folder.name for folder in KEPT.iterdir() if (folder / "result.toml").is_file())


@pytest.fixture(scope="module")
def predictions() -> dict[str, Tensor]:
    return load_file(KEPT / "predictions.safetensors")


@pytest.fixture(scope="module")
def batch(predictions: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: predictions[f"batch.{name}"] for name in ("abundance", "physical", "dt")}


def test_every_model_of_then_is_still_called_so() -> None:
    assert len(MODEL_NAMES) == 12
    assert set(MODEL_NAMES) <= set(MODELS.names())


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_a_result_predicts_what_it_predicted(
    name: str, predictions: dict[str, Tensor], batch: dict[str, Tensor]
) -> None:
    model = load_trained(ResultDirectory.open(KEPT / name))
    rows = {"abundance": batch["abundance"].flatten(0, 1)}
    with torch.no_grad():
        found = model.infer_batch(rows if model.feed == "rows" else batch)
    assert found
    for key, values in found.items():
        assert_close(values, predictions[f"{name}.{key}"], **ROUNDING)


@pytest.mark.parametrize("name", sorted(folder.name for folder in (KEPT / "saved").iterdir()))
def test_a_saved_surrogate_predicts_what_it_predicted(
    name: str, predictions: dict[str, Tensor], batch: dict[str, Tensor]
) -> None:
    surrogate = Surrogate.load(KEPT / "saved" / name)
    abundance = surrogate.data.abundance_scaling.unscale(batch["abundance"][:, 0].double().numpy())
    physical = surrogate.data.physical_scaling.unscale(batch["physical"].double().numpy())
    found = surrogate.emulate(physical, abundance, batch["dt"][:, :-1].double().numpy())
    assert_close(torch.as_tensor(found).log10(), predictions[f"saved.{name}"].log10(), **ROUNDING)


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_its_tensors_have_other_names_now_and_the_same_values(name: str) -> None:
    result = ResultDirectory.open(KEPT / name)
    written, model = load_file(result.file("weights.safetensors")), load_trained(result)
    read = renamed(written, model.state_dict())
    assert read.keys() == model.state_dict().keys()
    assert sorted(map(id, read.values())) == sorted(map(id, written.values()))
    assert all(torch.equal(tensor, read[key]) for key, tensor in model.state_dict().items())
