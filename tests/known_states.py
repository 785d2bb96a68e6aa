"""A small infer result without a network: latents are a fixed projection of the scaled abundances."""

from __future__ import annotations

import numpy as np

from chemnet.config import ConfigDict
from chemnet.results import ResultDirectory

LATENT_DIM = 3
SPLITS = ("train", "validate", "test")


def projection(n_species: int) -> np.ndarray:
    """Return the matrix (n_species, LATENT_DIM) that makes latents of scaled abundances."""
    return np.random.default_rng(5).normal(size=(n_species, LATENT_DIM)) / np.sqrt(n_species)


def write_infer_result(config: ConfigDict, role: str = "autoencoder") -> ResultDirectory:
    """Write an infer result of every state of the newest preprocess result, by a model of this role."""
    from chemnet.data.infer_result.inference_dataset import InferenceWriter
    from chemnet.data.preprocessed import PreprocessedData
    from chemnet.results import ResultWriter, find_most_recent_results_dir

    preprocessed = find_most_recent_results_dir(config, "preprocess")
    assert preprocessed is not None
    data = PreprocessedData(preprocessed)
    splits = [data.split(name) for name in SPLITS]
    tracer_ids = [name for split in splits for name in split.tracer_ids]
    with ResultWriter(config, verb="infer", parents={"preprocess": preprocessed}) as writer:
        with InferenceWriter(
            writer.path,
            tracer_ids=tracer_ids,
            largest_step=max(int(split.steps.max()) for split in splits),
            physical_names=data.physical_names,
            species=data.species,
            splits=SPLITS,
        ) as states:
            first = 0
            for split in splits:
                states.append(
                    tracer=first + split.tracer_of_row,
                    step=split.steps,
                    time=split.time,
                    physical=split.raw_physical(),
                    tensor=split.abundance @ projection(len(data.species)),
                    split_row=np.arange(len(split)),
                    split=split.name,
                )
                first += len(split.tracer_ids)
        writer.summary.update(rows=len(states), role=role)
    assert writer.result is not None
    return writer.result
