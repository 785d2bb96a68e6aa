from __future__ import annotations

from typing import Any

import pytest
from known_states import write_infer_result

from chemnet.errors import ResultsError
from chemnet.search.chosen_latents import resolve_latents

KEYS = ("umap.infer_dir", "vector_db.infer_dir")


@pytest.mark.parametrize("key", KEYS)
def test_the_newest_result_of_an_autoencoder_is_taken_though_an_emulators_is_newer(
    tiny: Any, key: str
) -> None:
    encoded = write_infer_result(tiny())
    write_infer_result(tiny(), role="emulator")
    assert resolve_latents(tiny(), key).path == encoded.path


@pytest.mark.parametrize("key", KEYS)
def test_a_named_result_of_an_emulator_is_taken_with_a_word_about_it(
    tiny: Any, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    predicted = write_infer_result(tiny(), role="emulator")
    assert resolve_latents(tiny({key: str(predicted.path)}), key).path == predicted.path
    assert "its latents are predicted" in caplog.text


def test_without_an_autoencoders_result_the_hint_says_how_to_make_one(tiny: Any) -> None:
    write_infer_result(tiny(), role="emulator")
    with pytest.raises(ResultsError, match="found no infer result of an autoencoder") as caught:
        resolve_latents(tiny(), "umap.infer_dir")
    assert "chemnet infer infer.model_dir=" in str(caught.value.hint)
