"""`chemnet model`: what a model is made of."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from chemnet.registry import MODELS, chem_verb
from chemnet.results import Answer, ResultDirectory, resolve_input
from chemnet.verbs.verb import Verb


@chem_verb
class Model(Verb[Answer]):
    """Summarise a model: the configured one on the newest data, or a trained one."""

    cli_name = "model"
    description = "summarise a model: layers, parameters and shapes"
    inputs: ClassVar = {"infer.model_dir": "train", "train.preprocess_dir": "preprocess"}
    tables = ("model",)
    examples = ("chemnet model model.name=LatentEmulator",)

    def run(self, model_dir: str | Path | None = None) -> Answer:
        """Return layers, parameters and shapes of a model.

        Parameters
        ----------
        model_dir
            A trained model; wins over ``infer.model_dir``. Without either, the model that ``[model]``
            describes is built for the newest preprocess result that can feed it.

        Raises
        ------
        ResultsError
            When there is no such model, or no data to shape it by.
        """
        config = self.with_arguments("infer", {"model_dir": model_dir})
        if config["infer"]["model_dir"] is not False:
            trained = resolve_input(config, "infer.model_dir", verb="train", what="trained model")
            name, model, batch, path = *_trained(trained), trained.path
        else:
            model, batch = _configured(config)
            name, path = model.config["model"]["name"], None
        from chemnet.models.summary import summarise_model

        summary = summarise_model(model, name, batch)
        known = ", ".join(MODELS.names())
        return Answer(
            {**summary.to_dict(), "models": MODELS.names()}, f"{summary}\n\nregistered models: {known}", path
        )


def _trained(result: ResultDirectory) -> tuple[str, Any, Any]:
    """Return name, model and sample batch of a training result."""
    from chemnet.data.preprocessed import PreprocessedData
    from chemnet.models.model_file import load_trained, read_model_file

    described = read_model_file(result)
    data = PreprocessedData(result.parent("preprocess"))
    return described["name"], load_trained(result), data.describe(described["feed"]).sample


def _configured(config: Any) -> tuple[Any, Any]:
    """Return a new model of the configured class, and a sample batch."""
    from chemnet.data.preprocessed import PreprocessedData
    from chemnet.models.contract import build_model
    from chemnet.models.model_file import load_trained
    from chemnet.verbs.train import find_inputs
    from chemnet.verbs.train_choices import settled

    inputs = find_inputs(config)
    config, _ = settled(config, inputs["preprocess"])
    data = PreprocessedData(inputs["preprocess"]).describe(MODELS.get(config["model"]["name"]).feed)
    autoencoder = load_trained(inputs["autoencoder"]) if "autoencoder" in inputs else None
    return build_model(config, data, autoencoder), data.sample
