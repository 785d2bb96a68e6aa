"""Named classes that configuration and the command line can ask for: models, datasets, verbs and more.

A `Registry` knows chemnet's own classes by the module that defines them and imports that module when the name
is asked for; classes from elsewhere join through a decorator, a dotted name or the entry-point group
`chemnet.plugins`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from chemnet import plugins
from chemnet.errors import ConfigError, suggest

if TYPE_CHECKING:
    from chemnet.config import ConfigDict

T = TypeVar("T", bound=type)


class Registry(Generic[T]):
    """Classes of one kind under unique names.

    Parameters
    ----------
    kind
        What the classes are, for messages: ``"model"``, ``"dataset"``, ...
    builtin
        chemnet's own names and the module whose import registers each.
    prepare
        Dotted name (``"package.module:function"``) of a function that checks and completes every class as it
        is registered. It is named, not imported, so that this floor stays below the one that defines it.
    name_attribute
        Attribute of the class that holds its name; the class's own name when it has none.
    base
        The class (``"package.module:Class"``) that what a result names by a dotted name must derive from.
    """

    def __init__(
        self,
        kind: str,
        builtin: Mapping[str, str] | None = None,
        prepare: str | None = None,
        name_attribute: str = "registry_name",
        base: str | None = None,
    ) -> None:
        self.kind = kind
        self._builtin = dict(builtin or {})
        self._prepare = prepare
        self._name_attribute = name_attribute
        self._base = base
        self._classes: dict[str, T] = {}

    @overload
    def register(self, cls: T, /) -> T: ...

    @overload
    def register(self, cls: None = None, /, *, name: str | None = None) -> Callable[[T], T]: ...

    def register(self, cls: T | None = None, /, *, name: str | None = None) -> T | Callable[[T], T]:
        """Register a class, as ``@registry.register`` or ``@registry.register(name="Other")``.

        Raises
        ------
        ConfigError
            When another class holds the name already.
        """
        if cls is None:
            return lambda decorated: self._add(decorated, name)
        return self._add(cls, name)

    def _add(self, cls: T, name: str | None) -> T:
        """Check, prepare and store one class."""
        key = name or cls.__dict__.get(self._name_attribute) or cls.__name__
        self._refuse_second(key, cls)
        if self._prepare:
            cls = _resolve(self._prepare)(cls)
        self._classes[key] = cls
        return cls

    def _refuse_second(self, name: str, cls: T) -> None:
        """Raise when `name` belongs to a class other than `cls`."""
        held = self._classes.get(name)
        owner = f"{held.__module__}.{held.__qualname__}" if held else self._builtin.get(name)
        same = held is not None and (held.__module__, held.__qualname__) == (cls.__module__, cls.__qualname__)
        if owner is None or same or (held is None and owner == cls.__module__):
            return
        raise ConfigError(
            f"the {self.kind} name '{name}' is taken by {owner}; "
            f"{cls.__module__}.{cls.__qualname__} cannot have it too",
            hint="rename the class, or register it under another name: (name=...) behind the decorator",
        )

    def get(self, name: str) -> T:
        """Return the class registered as `name`, importing what defines it when needed.

        Raises
        ------
        ConfigError
            For a name that nobody registered (with near misses), or a dotted name that cannot be imported or
            that the user has not let in; see `chemnet.plugins`.
        """
        if name not in self._classes and name in self._builtin:
            importlib.import_module(self._builtin[name])
        if name not in self._classes and "." in name:
            return self._import_dotted(name)
        if name not in self._classes:
            plugins.load_entry_points()
        if name not in self._classes:
            raise self._unknown(name)
        return self._classes[name]

    def _import_dotted(self, name: str) -> T:
        """Import ``package.module.Class`` and register it if its own decorator did not."""
        base = _resolve(self._base) if self._base else None
        cls = plugins.import_dotted(name, self.kind, base=base, known=self._classes.values())
        if not any(held is cls for held in self._classes.values()):
            cls = self._add(cls, name)
        return cls

    def check(self, name: str) -> None:
        """Raise for a short name that nobody registered; nothing is imported for one that is known.

        Raises
        ------
        ConfigError
            With near misses. Dotted names are left to `get`.
        """
        if name not in self and "." not in name and name not in self.names():
            raise self._unknown(name)

    def _unknown(self, name: str) -> ConfigError:
        return ConfigError(f"no {self.kind} is called '{name}'", hint=suggest(name, self.names()))

    def names(self) -> list[str]:
        """Return every known name: chemnet's own, plugins' and those registered in this process."""
        plugins.load_entry_points()
        return sorted({*self._builtin, *self._classes})

    def __contains__(self, name: object) -> bool:
        return name in self._builtin or name in self._classes


def _resolve(dotted: str) -> Any:
    """Return the function or class that ``package.module:name`` names."""
    module, function = dotted.split(":")
    return getattr(importlib.import_module(module), function)


_COMPOSITIONS = "chemnet.models.emulators.compositions"
_BUILTIN_MODELS = {
    "Autoencoder": "chemnet.models.autoencoders.autoencoder",
    "PCAAutoencoder": "chemnet.models.autoencoders.pca_autoencoder",
    "ResidualAutoencoder": "chemnet.models.autoencoders.residual_autoencoder",
    "LatentEmulator": _COMPOSITIONS,
    "LatentRNN": _COMPOSITIONS,
    "LatentNeuralOperator": _COMPOSITIONS,
    "LatentODE": _COMPOSITIONS,
    "LatentEnsemble": _COMPOSITIONS,
    "LatentRelaxation": _COMPOSITIONS,
    "DirectEmulator": _COMPOSITIONS,
    "DirectRelaxation": _COMPOSITIONS,
    "DirectEnsemble": _COMPOSITIONS,
    "ImplicitEmulator": "chemnet.models.emulators.implicit.implicit_emulator",
}
_BUILTIN_DATASETS = {
    "TracerTable": "chemnet.data.readers.tracer_table",
}
_BUILTIN_PREPROCESSING = {
    "sequential": "chemnet.data.preprocess.sequential",
    "timeless": "chemnet.data.preprocess.timeless",
    "random": "chemnet.data.preprocess.random",
}
_BUILTIN_REDUCERS: dict[str, str] = {
    "umap": "chemnet.search.reducers",
    "pca": "chemnet.search.reducers",
    "tsne": "chemnet.search.reducers",
}
_BUILTIN_VECTOR_DBS: dict[str, str] = {
    "chromadb": "chemnet.search.chroma",
}
# verb -> (module, the line that --help prints); the command line lists verbs without importing them
_BUILTIN_VERBS: dict[str, tuple[str, str]] = {
    "demo": ("chemnet.verbs.demo", "run the whole chain on a small set: from tracers to a lookup"),
    "simulate": (
        "chemnet.verbs.simulate",
        "integrate a chemical network along tracers: the truth that surrogates learn from",
    ),
    "network": (
        "chemnet.verbs.network",
        "describe a chemical network, and draw the graph around a species",
    ),
    "config": (
        "chemnet.verbs.config",
        "print the merged configuration, explain a key or a table, or set a key in a file",
    ),
    "results": ("chemnet.verbs.results", "list results with status, component and lineage"),
    "preprocess": (
        "chemnet.verbs.preprocess",
        "turn raw tracers into scaled train, validate and test splits",
    ),
    "train": ("chemnet.verbs.train", "train a component: an autoencoder or an emulator"),
    "sweep": (
        "chemnet.verbs.sweep",
        "train a component with many values of some keys: a grid, or trials drawn by Optuna",
    ),
    "study": (
        "chemnet.verbs.study",
        "CODES' studies of a model: interpolation, extrapolation, sparse data, batch size, uncertainty",
    ),
    "infer": ("chemnet.verbs.infer", "encode a split with an autoencoder, or roll an emulator out along it"),
    "benchmark": (
        "chemnet.verbs.benchmark",
        "score a surrogate against the raw truth, simple rivals and the solver",
    ),
    "compare": (
        "chemnet.verbs.compare",
        "put trainings, benchmarks, sweeps or simulations side by side: table, picture, page",
    ),
    "export": ("chemnet.verbs.export", "write a surrogate as a C and Fortran library that needs no Python"),
    "verify": (
        "chemnet.verbs.verify",
        "check an exported surrogate: files, C and Fortran against its reference cells",
    ),
    "umap": ("chemnet.verbs.umap", "reduce latents to two or three dimensions"),
    "analyse": ("chemnet.verbs.analyse", "which reactions form and destroy a species along a tracer"),
    "visualize": ("chemnet.verbs.visualize", "make an interactive page of a reduced latent space"),
    "save_to_database": ("chemnet.verbs.save_to_database", "store latents in a vector database"),
    "lookup": ("chemnet.verbs.lookup", "find the known states nearest to a given one"),
    "database_connection": (
        "chemnet.verbs.database_connection",
        "open the database of known states: search_by_id, search_by_vector, get_by_id",
    ),
    "model": ("chemnet.verbs.model", "summarise a model: layers, parameters and shapes"),
    "download": (
        "chemnet.verbs.download",
        "fetch a public data set by name, DOI or address, with checksum and resumption",
    ),
    "doctor": (
        "chemnet.verbs.doctor",
        "look at versions, device, threads, caches, disk and speed, and say what to mend",
    ),
    "explain": ("chemnet.verbs.explain", "what a figure means, such as mlae: its unit and one sentence"),
    "cite": (
        "chemnet.verbs.cite",
        "what a result, a network or a shipped surrogate was made from, as BibTeX",
    ),
    "new": ("chemnet.verbs.new", "write a plugin package to start from: a model, its keys and its test"),
    "completion": (
        "chemnet.verbs.completion",
        "print what bash, zsh or fish needs to complete verbs, options and keys",
    ),
}

MODELS: Registry = Registry(
    "model", _BUILTIN_MODELS, prepare="chemnet.models.contract:equip_model", base="torch.nn:Module"
)
DATASETS: Registry = Registry("dataset", _BUILTIN_DATASETS, base="chemnet.data.chem_dataset:ChemDataset")
PREPROCESSING: Registry = Registry(
    "preprocessing method", _BUILTIN_PREPROCESSING, base="chemnet.data.preprocess.method:PreprocessingMethod"
)
READERS: Registry = Registry("reader", base="chemnet.data.readers.table_source:TableSource")
REDUCERS: Registry = Registry("reducer", _BUILTIN_REDUCERS, base="chemnet.search.reducers:Reducer")
VECTOR_DBS: Registry = Registry(
    "vector database", _BUILTIN_VECTOR_DBS, base="chemnet.search.vector_database:VectorDatabase"
)
VERBS: Registry = Registry(
    "verb",
    {name: module for name, (module, _) in _BUILTIN_VERBS.items()},
    name_attribute="cli_name",
    base="chemnet.verbs.verb:Verb",
)


ANY_EMULATOR = "emulator"
"""As ``model.name`` no class, but the emulator that suits the data (`chemnet.verbs.train_choices`)."""
#: key of the configuration -> where the class that it names is registered
_NAMED_BY: dict[str, Registry] = {
    "data_set.name": DATASETS,
    "model.name": MODELS,
    "preprocess.method": PREPROCESSING,
    "umap.reducer": REDUCERS,
    "vector_db.name": VECTOR_DBS,
}


def check_names(config: ConfigDict, tables: Iterable[str]) -> None:
    """Refuse short names in some tables of a configuration that nobody registered.

    Raises
    ------
    ConfigError
        Naming the key, with near misses.
    """
    for key, registry in _NAMED_BY.items():
        if key.partition(".")[0] in tables and (key, config.lookup(key)) != ("model.name", ANY_EMULATOR):
            try:
                registry.check(config.lookup(key))
            except ConfigError as error:
                raise ConfigError(
                    f"{key} = {config.lookup(key)!r}: {error.message}", hint=error.hint
                ) from error


def builtin_verbs() -> dict[str, str]:
    """Return the verbs that chemnet brings, each with the line that says what it does."""
    return {name: description for name, (_, description) in _BUILTIN_VERBS.items()}


def verb_descriptions() -> dict[str, str]:
    """Return every verb's one-line description without importing chemnet's own verbs."""
    described = {name: text for name, (_, text) in _BUILTIN_VERBS.items()}
    for name in VERBS.names():
        if name not in described:
            described[name] = VERBS.get(name).description
    return described


def chem_model(cls: Any = None, /, *, name: str | None = None) -> Any:
    """Register a model (`torch.nn.Module`) and equip it with what every model shares.

    The class defines `forward`, `train_batch` and `infer_batch`; see `chemnet.models.contract`.
    """
    return MODELS.register(cls, name=name) if cls is None else MODELS.register(cls)


def chem_dataset(cls: Any = None, /, *, name: str | None = None) -> Any:
    """Register a dataset: a subclass of `chemnet.ChemDataset` that reads raw tracers."""
    return DATASETS.register(cls, name=name) if cls is None else DATASETS.register(cls)


def chem_verb(cls: Any = None, /, *, name: str | None = None) -> Any:
    """Register a verb: a subclass of `chemnet.Verb`, under its `cli_name`."""
    return VERBS.register(cls, name=name) if cls is None else VERBS.register(cls)
