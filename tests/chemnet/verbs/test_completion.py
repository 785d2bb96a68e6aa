"""The completion that chemnet prints works in a shell."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from command_line import chemnet


def completed(script: str, *words: str) -> set[str]:
    """Return what bash offers for the last of some words."""
    array = " ".join(f"'{word}'" for word in words)
    commands = f"{script}\nCOMP_WORDS=({array})\nCOMP_CWORD={len(words) - 1}\n_chemnet 2>/dev/null\n"
    commands += 'printf "%s\\n" "${COMPREPLY[@]}"'
    answer = subprocess.run(["bash", "-c", commands], capture_output=True, text=True, check=True)
    return set(answer.stdout.split())


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_completes_verbs_options_and_keys() -> None:
    script = chemnet("completion", "bash").out
    assert completed(script, "chemnet", "tra") == {"train"}
    assert completed(script, "chemnet", "train", "train.ep") == {"train.epochs="}
    assert "--json" in completed(script, "chemnet", "train", "--js")


def test_zsh_and_fish_name_the_verbs() -> None:
    for shell in ("zsh", "fish"):
        assert "analyse" in chemnet("completion", shell).out


def test_another_shell_is_refused() -> None:
    outcome = chemnet("completion", "tcsh")
    assert (outcome.code, "no completion for 'tcsh'" in outcome.err) == (2, True)
