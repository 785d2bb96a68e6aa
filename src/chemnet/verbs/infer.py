"""`chemnet infer`: encode every state with an autoencoder, or roll an emulator out along every tracer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from chemnet.config import ConfigDict
from chemnet.progress import get_logger
from chemnet.registry import DATASETS, chem_verb
from chemnet.results import Answer, ResultDirectory, ResultWriter, VerbResult, resolve_input
from chemnet.results.layout import DONE
from chemnet.results.unfinished_runs import OwnedRun
from chemnet.verbs.dry_run import at_the_pace, in_results, plan_answer, refuse_resume
from chemnet.verbs.verb import Verb

if TYPE_CHECKING:
    import torch
    from matplotlib.figure import Figure

    from chemnet.data.infer_result.infer_sources import Block, Source
    from chemnet.data.infer_result.inference_dataset import InferenceDataset, InferenceWriter
    from chemnet.data.preprocessed import DataDescription

ALL_SPLITS = ("train", "validate", "test")
_ROLLED_OUT = ("emulator", "direct_emulator")
_log = get_logger(__name__)


class InferResult(VerbResult):
    """Latents (and abundances) of every state."""

    verb = "infer"

    @property
    def dataset(self) -> InferenceDataset:
        """The inferred states, read through memory maps."""
        from chemnet.data.infer_result.inference_dataset import InferenceDataset

        return InferenceDataset(self.directory)

    def plot(self) -> Figure:
        """Return the first two latents of up to 20,000 states, coloured by each parameter and by time."""
        from chemnet.plots.figures import embedding_panels

        data = self.dataset
        shown = slice(None, None, max(1, len(data) // 20_000))
        second = min(1, data.latent_dim - 1)
        latents = data.latents[shown][:, [0, second]]
        columns = {name: data.rows[name][shown] for name in (*data.physical_names, "time")}
        title = f"latents of {len(latents):,} of {len(data):,} states"
        return embedding_panels(latents, columns, title, ("latent 1", f"latent {second + 1}"))


@chem_verb
class Infer(Verb[InferResult]):
    """Run a trained model over data."""

    cli_name = "infer"
    description = "encode a split with an autoencoder, or roll an emulator out along it"
    inputs: ClassVar = {"infer.model_dir": "train", "infer.preprocess_dir": "preprocess"}
    examples = ("chemnet infer", "chemnet infer infer.model_dir=autoencoder infer.split=test")

    def run(
        self,
        model_dir: str | Path | None = None,
        preprocess_dir: str | Path | None = None,
        split: str | None = None,
        source: str | None = None,
        resume: str | None = None,
    ) -> InferResult:
        """Infer every state of the chosen splits; each argument wins over the key of its name in ``[infer]``.

        Parameters
        ----------
        model_dir
            The trained model.
        preprocess_dir
            The preprocess result to read; by default the one that the model was trained on.
        split
            ``"train"``, ``"validate"``, ``"test"`` or ``"all"``.
        source
            ``"preprocess"``, or ``"data_set"`` for the raw tracers of ``[data_set]``.
        resume
            ``"latest"``, or the path or name of an unfinished run to resume after its last complete batch.

        Raises
        ------
        ResultsError
            When no model, or no data that fits it, is found.
        """
        given = {"model_dir": model_dir, "preprocess_dir": preprocess_dir, "split": split, "source": source}
        config = self.with_arguments("infer", {**given, "resume": resume})
        from chemnet.data.infer_result.infer_resume import resumed

        begun = None
        if config["infer"]["resume"] is not False:
            config, begun = resumed(config)
        return InferResult(infer(*_with_inputs(config), begun))

    def plan(self, **given: Any) -> Answer:
        """Return what `run` would read and make of its arguments; nothing is written."""
        config = self.with_arguments("infer", given)
        refuse_resume(config, "infer.resume")
        config, parents = _with_inputs(config)
        from chemnet.models.model_file import data_of, role_of

        trained = parents["train"]
        rows = _source(config, parents, data_of(trained)).n_rows
        role, kept = role_of(trained), config["infer"]["abundance"]
        return plan_answer(
            {f"infer.{role}": one.path for role, one in _directories(parents).items()},
            in_results(
                config, "infer", "latents and abundances" if role in _ROLLED_OUT and kept else "latents"
            ),
            at_the_pace(config, "infer", "rows", rows, lambda one: one.summary.get("role") == role),
        )


def _with_inputs(config: ConfigDict) -> tuple[ConfigDict, dict[str, ResultDirectory]]:
    """Return the configuration that names the inputs which are really used, and these."""
    from_splits = config["infer"]["source"] == "preprocess"
    trained = resolve_input(config, "infer.model_dir", "train", None, "trained model", None, from_splits)
    parents = {"train": trained}
    if from_splits:
        parents["preprocess"] = _data_result(config, trained)
    used = {f"infer.{key}": str(one.path) for key, one in _directories(parents).items()}
    return config.replace(used), parents


def _directories(parents: dict[str, ResultDirectory]) -> dict[str, ResultDirectory]:
    """Return the inputs by the keys of ``[infer]`` that name them."""
    keys = {"train": "model_dir", "preprocess": "preprocess_dir"}
    return {keys[role]: one for role, one in parents.items()}


def infer(
    config: ConfigDict, parents: dict[str, ResultDirectory], begun: OwnedRun | None = None
) -> ResultDirectory:
    """Run the model over the source and write the infer result.

    Parameters
    ----------
    config
        The merged configuration, with the inputs that are really used.
    parents
        ``"train"``, and ``"preprocess"`` unless raw tracers are read.
    begun
        An unfinished run to resume.

    Raises
    ------
    ResultsError
        When the inputs are others than those that an unfinished run began with.
    """
    import torch

    from chemnet.data.infer_result.finite_outputs import FiniteOutputs
    from chemnet.data.infer_result.infer_resume import INPUTS_FILE, check_same_inputs, kept_after_a_batch
    from chemnet.data.infer_result.infer_sources import Remaining
    from chemnet.data.infer_result.inference_dataset import InferenceWriter
    from chemnet.models.model_file import data_of, role_of
    from chemnet.progress import progress
    from chemnet.training.parallel.devices import choose_device, cpu_threads, precision
    from chemnet.training.parallel.memory import kept_memory

    table, trained = config["infer"], parents["train"]
    device = choose_device(config["general"]["device"])
    wanted, role = data_of(trained), role_of(trained)
    conserved = _is_conserved(table, role, wanted)
    _say_what_happens(trained, role, conserved)
    predicted = _prediction(config, trained, role, device, bool(conserved))
    source = _source(config, parents, wanted)
    kept = config.replace({"infer.resume": False})
    with ResultWriter(kept, "infer", trained.component, parents=parents, resume=begun) as writer:
        # until the first whole batch there is nothing that a later run could go on with
        writer.keep_on_error = begun is not None
        check_same_inputs(writer.path, config, parents)
        with (
            kept_after_a_batch(writer),
            InferenceWriter(
                writer.path,
                tracer_ids=source.tracer_ids,
                largest_step=source.largest_step,
                physical_names=wanted.physical_names,
                species=wanted.species,
                splits=source.splits,
                dataset_config=_dataset_config(config, parents),
                conserved=bool(conserved),
            ) as states,
            torch.inference_mode(),
            cpu_threads(config["general"]["threads"]),
            kept_memory(),
            precision(table["precision"], device),
            progress(total=source.n_rows - states.done, desc="infer", unit="row") as bar,
        ):
            left = Remaining(source, states.done)
            finite = FiniteOutputs(table["not_finite"], source.tracer_ids, wanted.species)
            for block, outputs in predicted(left):
                finite.look_at(block, outputs)
                _append(states, block, outputs, left.surplus)
                bar.update(len(block.time) - left.surplus)
        (writer.path / INPUTS_FILE).unlink()
        writer.summary.update(
            model=trained.name,
            role=role,
            rows=source.n_rows,
            tracers=len(source.tracer_ids),
            device=str(device),
            splits=list(source.splits),
        )
        if finite.states:
            writer.summary["not_finite"] = finite.states
        if conserved is not None:
            writer.summary["conserved"] = conserved
    return writer.result


def _is_conserved(table: ConfigDict, role: str, data: DataDescription) -> bool | None:
    """Return whether the abundances that are written keep each element's total; None where none are."""
    if role not in _ROLLED_OUT:
        return False if table["reconstruction"] else None
    return bool(table["conserve"] and data.elements) if table["abundance"] else None


def _say_what_happens(trained: ResultDirectory, role: str, conserved: bool | None) -> None:
    """Log which model does what to the states, and that its training is not over if so."""
    if role in _ROLLED_OUT:
        action = f"rolling out the {role.replace('_', ' ')}"
    else:
        encodes = role == "autoencoder"
        action = "encoding with the autoencoder" if encodes else f"inferring with the model (role {role!r})"
    kept = {
        True: "; abundances keep each element's total",
        False: "; abundances do not keep the elements' totals",
    }
    _log.info("%s %s%s", action, trained.name, "" if conserved is None else kept[conserved])
    if trained.status != DONE:
        _log.warning(
            "the training of %s was %s after %s epochs; to finish it: chemnet train train.resume=%s",
            trained.name,
            trained.status,
            trained.summary.get("epochs", "some"),
            trained.path,
        )


def _prediction(
    config: ConfigDict, trained: ResultDirectory, role: str, device: torch.device, conserve: bool
) -> Callable[[Source], Iterator[tuple[Block, dict[str, Any]]]]:
    """Return what yields the blocks of a source with outputs: rollouts of an emulator, rows of all else."""
    from chemnet.models.model_file import data_of, load_trained
    from chemnet.models.weights import weights_file
    from chemnet.surrogate.bulk.model_over_data_set import emulator_predictor, infer_rollouts, infer_rows

    table = config["infer"]
    weights = weights_file(table["weights"])
    if role in _ROLLED_OUT:
        components, predictor = emulator_predictor(trained, device, conserve, weights)
        return partial(infer_rollouts, components, predictor, decode=table["abundance"])
    model: Any = load_trained(trained, weights)
    scaling = data_of(trained).abundance_scaling if table["reconstruction"] else None
    in_use = model.for_inference().to(device)
    return partial(infer_rows, in_use, device=device, block_rows=table["batch_size"], reconstruction=scaling)


def _append(states: InferenceWriter, block: Block, outputs: dict[str, Any], first: int) -> None:
    """Write the states of a block from its row `first` on."""
    columns = {
        "tracer": block.tracer,
        "step": block.step,
        "time": block.time,
        "physical": block.raw_physical,
        "split_row": block.split_row,
        **outputs,
    }
    states.append(split=block.split, **{name: values[first:] for name, values in columns.items()})


def _data_result(config: ConfigDict, trained: ResultDirectory) -> ResultDirectory:
    """Return the preprocess result to read: by default the very one that the model was trained on."""
    if config["infer"]["preprocess_dir"] is False:
        return trained.parent("preprocess")
    return resolve_input(config, "infer.preprocess_dir", verb="preprocess")


def _source(config: ConfigDict, parents: dict[str, ResultDirectory], wanted: DataDescription) -> Source:
    from chemnet.data.infer_result.infer_sources import RawSource, SplitSource
    from chemnet.data.preprocessed import PreprocessedData

    if "preprocess" not in parents:
        return RawSource(DATASETS.get(config["data_set"]["name"])(config), wanted)
    split = config["infer"]["split"]
    splits = ALL_SPLITS if split == "all" else (split,)
    return SplitSource(PreprocessedData(parents["preprocess"]), splits, wanted)


def _dataset_config(config: ConfigDict, parents: dict[str, ResultDirectory]) -> dict[str, Any]:
    """Return the ``[data_set]`` table that the states were read with."""
    if "preprocess" not in parents:
        return config["data_set"].to_dict()
    # as it was written then: keys that have changed since are no reason to refuse the data
    return parents["preprocess"].config["data_set"].to_dict()
