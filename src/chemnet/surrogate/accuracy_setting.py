"""The dial of a surrogate: folders of one name, each for another price.

NAME/fast/surrogate.toml        no iterations
NAME/balanced/surrogate.toml    a few iterations of the network's implicit step, then a correction
NAME/exact/surrogate.toml       the same, with more steps by the solver

Where NAME/surrogate.toml stands beside such folders it is the setting "fast", and what is loaded by default.
"""

from __future__ import annotations

from pathlib import Path

from chemnet.errors import ModelError, suggest

ACCURACIES = ("fast", "balanced", "exact")
DEFAULT_ACCURACY = "balanced"


def at_accuracy(folder: Path, file: str, accuracy: str | None) -> Path | None:
    """Return the folder of a saved surrogate at one setting of its dial; None where there is no surrogate.

    Parameters
    ----------
    folder
        Of the surrogate, or of the settings of its dial.
    file
        Name of the file that every saved surrogate has.
    accuracy
        One of `ACCURACIES`; None for what the folder itself holds, `DEFAULT_ACCURACY`, or the only setting.

    Raises
    ------
    ModelError
        When the surrogate has no such setting.
    """
    settings = settings_of(folder, file)
    if (folder / file).is_file():
        if accuracy is None or (settings and accuracy == settings[0]):
            return folder
        if accuracy not in settings:
            raise _without(folder.name, accuracy, settings)
    if not settings:
        return None
    wanted = accuracy or (DEFAULT_ACCURACY if DEFAULT_ACCURACY in settings else settings[0])
    if wanted not in settings:
        raise _without(folder.name, wanted, settings)
    return folder / wanted


def settings_of(folder: Path, file: str) -> list[str]:
    """Return the settings of the dial in a folder; empty where there is none."""
    beside = [name for name in ACCURACIES if (folder / name / file).is_file()]
    own = [ACCURACIES[0]] if (folder / file).is_file() and ACCURACIES[0] not in beside else []
    return [*own, *beside] if beside else []


def _without(name: str, accuracy: str, settings: list[str]) -> ModelError:
    """Return what is raised for a setting that a surrogate has not."""
    if not settings:
        return ModelError(
            f"the surrogate {name!r} has one accuracy, and so no {accuracy!r}",
            hint="leave accuracy out: it is for surrogates with a dial, such as the shipped 'uclchem'",
        )
    return ModelError(
        f"the surrogate {name!r} has no accuracy {accuracy!r}", hint=suggest(accuracy, settings)
    )
