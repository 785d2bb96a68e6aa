"""Packages that a plain install leaves out: which extra brings each, and the error where one is missing."""

from __future__ import annotations

from importlib.util import find_spec

from chemnet.errors import MissingPackageError

#: what each extra of pyproject.toml brings, by the name that is imported
EXTRAS: dict[str, tuple[str, ...]] = {
    "search": ("chromadb",),
    "track": ("mlflow",),
    "tensorboard": ("tensorboard",),
    "map": ("umap", "sklearn"),
    "sweep": ("optuna",),
    "dask": ("distributed",),
    "ode": ("torchdiffeq",),
    "onnx": ("onnx", "onnxscript", "onnxruntime"),
    "tables": ("pyarrow", "hdf5plugin", "pandas", "xarray"),
}


def is_installed(package: str) -> bool:
    """Return whether a package can be imported, without importing it."""
    return find_spec(package) is not None


def require(package: str, purpose: str) -> None:
    """Raise where a package of an extra is missing; called before its import, as early as the need is known.

    Parameters
    ----------
    package
        The name that is imported: one of those in `EXTRAS`.
    purpose
        What needs it, as the subject of a sentence.

    Raises
    ------
    MissingPackageError
        With the command that installs it.
    """
    if not is_installed(package):
        raise MissingPackageError(
            f"{purpose} needs the package '{package}', which is not installed: {install_command(package)}"
        )


def install_command(package: str) -> str:
    """Return the command that installs the extra of a package.

    Examples
    --------
    >>> install_command("mlflow")
    "pip install 'chemnet[track]'"
    """
    extra = next(name for name, packages in EXTRAS.items() if package in packages)
    return f"pip install 'chemnet[{extra}]'"
