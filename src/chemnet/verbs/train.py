"""`chemnet train`: one component, from splits to weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from chemnet.config import ConfigDict
from chemnet.errors import ModelError, ResultsError
from chemnet.extras import require
from chemnet.plugins import require_dotted
from chemnet.progress import get_logger
from chemnet.registry import ANY_EMULATOR, DATASETS, MODELS, VERBS, chem_verb
from chemnet.results import (
    Answer,
    ResultDirectory,
    VerbResult,
    Wanted,
    find_input,
    find_most_recent_results_dir,
    named_result,
    resolve_input,
)
from chemnet.verbs.dry_run import at_the_pace, in_results, plan_answer, refuse_resume
from chemnet.verbs.train_choices import (
    check_fit,
    order_of,
    settled,
    start,
)
from chemnet.verbs.verb import Verb

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import nn

    from chemnet.surrogate.surrogate import Surrogate
    from chemnet.training.loop.early_stopping import Callback

# where PyTorch has what the tables of the recipe name
_HOMES = {"optimizer": "torch.optim", "criterion": "torch.nn", "scheduler": "torch.optim.lr_scheduler"}
_OPEN = "the emulator that suits the data"
_log = get_logger(__name__)


class TrainResult(VerbResult):
    """A trained component."""

    verb = "train"

    @property
    def metrics(self) -> list[dict[str, float]]:
        """The figures of each epoch: losses, validation metrics, learning rate."""
        from chemnet.training.loop.training_report import read_records

        return read_records(self.directory.file("metrics.jsonl"))

    def plot(self) -> Figure:
        """Return the learning curves."""
        from chemnet.training.loop.training_report import curves

        return curves(self.metrics, self.directory.config["train"]["monitor"])

    def load_model(self, weights: str = "best") -> nn.Module:
        """Return the trained model, in evaluation mode on the CPU.

        Parameters
        ----------
        weights
            ``"best"`` or ``"last"``.
        """
        from chemnet.models.model_file import load_trained
        from chemnet.models.weights import weights_file

        return load_trained(self.directory, weights_file(weights))


@chem_verb
class Train(Verb[TrainResult]):
    """Train the model that ``[model]`` describes."""

    cli_name = "train"
    in_group = True
    description = "train a component: an autoencoder or an emulator"
    inputs: ClassVar = {"train.preprocess_dir": "preprocess", "train.autoencoder_dir": "train"}
    tables = ("train", "model", "optimizer", "criterion", "scheduler")
    examples = (
        "chemnet train train.epochs=20",
        "chemnet train model.name=emulator",
        "chemnet train train.start_from=uclchem",
        "chemnet train train.resume=latest",
    )

    def run(
        self,
        component: str | None = None,
        epochs: int | None = None,
        preprocess_dir: str | Path | None = None,
        autoencoder_dir: str | Path | None = None,
        resume: str | Path | None = None,
        trace: int | None = None,
    ) -> TrainResult:
        """Train one component; each argument wins over the key of its name in ``[train]``.

        Parameters
        ----------
        component
            Name of the result.
        epochs
            Largest number of passes over the training split.
        preprocess_dir
            The preprocess result to train on.
        autoencoder_dir
            The autoencoder that an emulator works with.
        resume
            A training to resume: a path, a name or ``"latest"``. It continues with the model, the data and
            the recipe that it began with.
        trace
            Batches whose reads, gathers, layers and steps are printed with shapes and times.

        Raises
        ------
        ResultsError
            When an input is missing; the hint names the verb that makes it.
        RunFailedError
            When a loss is not finite; no result is left.
        """
        given = {
            "component": component,
            "epochs": epochs,
            "preprocess_dir": preprocess_dir,
            "autoencoder_dir": autoencoder_dir,
            "resume": resume,
            "trace": trace,
        }
        return _train(self.with_arguments("train", given))

    def plan(self, **given: Any) -> Answer:
        """Return what `run` would read and make of its arguments; nothing is written."""
        config = self.with_arguments("train", given)
        refuse_resume(config, "train.resume")
        config = _in_one_command(config)
        refuse_wrong_names(config)
        data = data_at_hand(config)
        name, start_from = config["model"]["name"], config["train"]["start_from"]
        component = config["train"]["component"] or name
        model = (
            f"{start_from}, trained on"
            if start_from is not False
            else _OPEN
            if name == ANY_EMULATOR
            else name
        )
        return plan_answer(
            planned_inputs(config, data),
            in_results(config, "train", f"component {component!r}, {model}"),
            training_time(config, data, 1),
        )

    def run_with_callback(self, callback: Callback) -> TrainResult:
        """Train as configured; a callback sees each epoch and may end the training, as a sweep does."""
        return _train(self.config, callback)


def _train(config: ConfigDict, callback: Callback | None = None) -> TrainResult:
    """Find the inputs, then train."""
    from chemnet.training.loop.tracking import tracked_where_possible

    config = _in_one_command(config)
    refuse_wrong_names(config)
    config = tracked_where_possible(config)
    from chemnet.training.loop.train_component import train_component
    from chemnet.training.parallel.distributed import process_group
    from chemnet.training.resume.resume import check_inputs, check_start, config_to_go_on_with, find_resumed

    group = process_group(config["general"]["device"])
    resumed = find_resumed(config, group)
    check_start(config, resumed)
    begun, weights = config_to_go_on_with(config, resumed), None
    inputs = group.agreed(lambda: find_inputs(begun))
    check_inputs(resumed, inputs)
    if resumed is None:
        begun, weights = settled(begun, inputs["preprocess"])
    used = {f"train.{role}_dir": str(result.path) for role, result in inputs.items()}
    return TrainResult(train_component(begun.replace(used), inputs, resumed, callback, group, weights))


def _in_one_command(config: ConfigDict) -> ConfigDict:
    """Return a configuration by which going on from a surrogate takes one command, from the table on."""
    if config["train"]["start_from"] is not False and ("train", "mode") not in config.chosen:
        return config.replace({"train.mode": "both"})
    return config


def planned_inputs(config: ConfigDict, data: ResultDirectory | None) -> dict[str, object]:
    """Return what a training would read, by configuration key.

    Parameters
    ----------
    config
        The merged configuration.
    data
        The preprocess result; None where `preprocess` would run first.
    """
    if data is None:
        from chemnet.verbs.preprocess import with_table

        table = with_table(config)[0]["data_set"]["path"]
        reads: dict[str, object] = {"data_set.path": f"{table}, which `preprocess` would read first"}
    else:
        reads = {"train.preprocess_dir": data.path}
    if config["train"]["start_from"] is not False:
        reads["train.start_from"] = start(config)
    elif data is not None and _model_of(config).role == "emulator":
        reads["train.autoencoder_dir"] = _autoencoder_for(config, data).path
    return reads


def training_time(config: ConfigDict, data: ResultDirectory | None, trainings: int) -> str:
    """Return about how long some trainings of the configured model on a preprocess result take."""
    name = config["model"]["name"]

    def alike(result: ResultDirectory) -> bool:
        same_model = name in (result.summary.get("model"), result.component)
        return same_model and data is not None and result.parents["preprocess"].digest == data.digest

    open_end = name == ANY_EMULATOR or config["train"]["start_from"] is not False
    epochs = None if open_end else config["train"]["epochs"] * trainings
    return at_the_pace(config, "train", "epochs", epochs, alike)


def data_at_hand(config: ConfigDict) -> ResultDirectory | None:
    """Return the preprocess result that a training would take; None where it would make one first."""
    model = _model_of(config)
    if config["train"]["mode"] == "both" and config["train"]["preprocess_dir"] is False:
        return _made_as_configured(config, model)
    return _preprocessed(config, model)


def _model_of(config: ConfigDict) -> Any:
    """Return the class of the model; which emulator it is to be, where that is open, the data decide."""
    if config["train"]["start_from"] is not False:
        emulator: Any = start(config).parts.emulator
        return MODELS.get(emulator.config["model"]["name"])
    name = config["model"]["name"]
    return MODELS.get("DirectRelaxation" if name == ANY_EMULATOR else name)


def refuse_wrong_names(config: ConfigDict) -> None:
    """Check that what ``[train]`` names exists, before anything heavy is imported.

    Raises
    ------
    ConfigError
        For a part of the recipe without a dotted name.
    ResultsError
        When the training to resume, or an input, does not exist.
    ModelError
        When the file of weights does not exist.
    """
    from chemnet.training.resume.latest_training import training_to_resume

    for part, home in _HOMES.items():
        if config[part]["name"]:
            require_dotted(config[part]["name"], part, home)
    if config["train"]["tensorboard"]:
        require("tensorboard", "train.tensorboard")
    table, resumed = config["train"], training_to_resume(config)
    for key, verb in Train.inputs.items():
        wanted = config.lookup(key)
        if wanted is not False:
            named_result(config, str(wanted), key, verb)
    weights = table["model_weights_file"]
    if weights and not Path(weights).is_file():
        raise ModelError(
            f"no weights file {weights}", hint="train.model_weights_file names a .safetensors file"
        )
    if resumed is None and table["mode"] == "component" and table["preprocess_dir"] is False:
        find_input(config, "train.preprocess_dir", Wanted("preprocess"))


def find_inputs(config: ConfigDict) -> dict[str, ResultDirectory]:
    """Return what the model is trained on: the preprocess result, and for an emulator its autoencoder.

    Raises
    ------
    ResultsError
        When nothing fits.
    """
    if config["train"]["start_from"] is not False:
        return {"preprocess": _in_order_of(start(config), config)}
    model = _model_of(config)
    data_result = _preprocessed(config, model)
    if model.role != "emulator":
        return {"preprocess": data_result}
    return {"preprocess": data_result, "autoencoder": _autoencoder_for(config, data_result)}


def _autoencoder_for(config: ConfigDict, data_result: ResultDirectory) -> ResultDirectory:
    """Return the autoencoder that an emulator works with."""
    from chemnet.models.compatibility import is_autoencoder_for

    return resolve_input(
        config,
        "train.autoencoder_dir",
        verb="train",
        fits=lambda result: is_autoencoder_for(result, data_result),
        what="autoencoder for these species, scalings and splits",
        make_with="chemnet train model.name=Autoencoder",
        same_data=False,  # it fits the very result that is trained on
    )


def _in_order_of(surrogate: Surrogate, config: ConfigDict) -> ResultDirectory:
    """Return data that a surrogate can go on with; those in another order are preprocessed anew."""
    from chemnet.data.preprocessed import PreprocessedData

    emulator: Any = surrogate.parts.emulator
    model = MODELS.get(emulator.config["model"]["name"])
    found = _preprocessed(config, model)
    if check_fit(surrogate, PreprocessedData(found)):
        return found
    _log.info(
        "the species of %s are in another order or on another scale: preprocessing the table again",
        found.name,
    )
    keys = {**order_of(surrogate), "train.preprocess_dir": False, "train.mode": "both"}
    return _preprocessed(config.replace(keys), model)


def _preprocessed(config: ConfigDict, model: Any) -> ResultDirectory:
    """Return the preprocess result to train on; with ``train.mode = "both"`` one is made when none fits."""
    from chemnet.models.compatibility import can_feed

    if config["train"]["mode"] == "both" and config["train"]["preprocess_dir"] is False:
        found = _made_as_configured(config, model)
        if found is None:
            _log.info("no preprocess result fits: preprocessing first")
            found = VERBS.get("preprocess")(config).run().directory
        config = config.replace({"train.preprocess_dir": str(found.path)})
    return resolve_input(
        config,
        "train.preprocess_dir",
        verb="preprocess",
        fits=lambda result: can_feed(result, model),
        what=f"preprocess result with {model.feed}",
    )


def _made_as_configured(config: ConfigDict, model: Any) -> ResultDirectory | None:
    """Return the newest preprocess result of the configured data and settings that can feed a model."""
    from chemnet.models.compatibility import can_feed

    return find_most_recent_results_dir(
        config, "preprocess", lambda result: can_feed(result, model) and _is_of(result, config)
    )


def _is_of(result: ResultDirectory, config: ConfigDict) -> bool:
    """Return whether a preprocess result was made from the configured data, with the configured settings."""
    from chemnet.data.preprocessed import PreprocessedData
    from chemnet.verbs.preprocess import with_table

    try:
        same = _data_settings(result.config) == _data_settings(config)
    except (ResultsError, KeyError):
        # made under other defaults, or without a plugin's: not the same settings
        return False
    read, _ = with_table(config)
    return same and PreprocessedData(result).digest == DATASETS.get(read["data_set"]["name"])(read).digest


def _data_settings(config: ConfigDict) -> tuple[Any, ...]:
    """Return what decides how data are prepared; where they stand does not matter, their digest does."""
    tables = {name: config[name].to_dict() for name in ("data_set", "preprocess")}
    for incidental in ("path", "network"):
        tables["data_set"].pop(incidental)
    return tables, config["general"]["seed"]
