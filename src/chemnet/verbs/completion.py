"""`chemnet completion`: verbs, options and keys for the TAB key of a shell."""

from __future__ import annotations

import argparse

from chemnet.config import ConfigManager
from chemnet.config.overrides import join_key
from chemnet.errors import ConfigError, suggest
from chemnet.registry import chem_verb, verb_descriptions
from chemnet.results import Answer
from chemnet.verbs.verb import Verb

_OPTIONS = ("--help", "--config", "--json", "--quiet", "--verbose", "--debug", "--dry-run")
_BASH = """\
# in ~/.bashrc: eval "$(chemnet completion bash)"
_chemnet() {
    local word="${COMP_WORDS[COMP_CWORD]}"
    if [ "$COMP_CWORD" -eq 1 ]; then
        COMPREPLY=($(compgen -W "%(verbs)s" -- "$word"))
    elif [[ "$word" == -* ]]; then
        COMPREPLY=($(compgen -W "%(options)s" -- "$word"))
    elif [[ "$word" == *.* ]]; then
        compopt -o nospace
        COMPREPLY=($(compgen -W "%(keys)s" -- "$word"))
    else
        COMPREPLY=($(compgen -f -- "$word"))
    fi
}
complete -o filenames -F _chemnet chemnet"""
_ZSH = """\
# in ~/.zshrc, after compinit: eval "$(chemnet completion zsh)"
_chemnet() {
    if (( CURRENT == 2 )); then
        compadd -- %(verbs)s
    elif [[ "$words[CURRENT]" == -* ]]; then
        compadd -- %(options)s
    elif [[ "$words[CURRENT]" == *.* ]]; then
        compadd -S '' -- %(keys)s
    else
        _files
    fi
}
compdef _chemnet chemnet"""


@chem_verb
class Completion(Verb[Answer]):
    """Print what a shell needs to complete chemnet's words."""

    cli_name = "completion"
    description = "print what bash, zsh or fish needs to complete verbs, options and keys"
    tables = ("general",)
    examples = ('eval "$(chemnet completion bash)"', "chemnet completion fish | source")

    @staticmethod
    def setup_parser(parser: argparse.ArgumentParser) -> None:
        """Take the shell as a bare word."""
        parser.add_argument("shell", metavar="SHELL", help="bash, zsh or fish")

    def run(self, shell: str = "bash") -> Answer:
        """Return the shell's commands.

        Raises
        ------
        ConfigError
            For any other shell.
        """
        words = {
            "verbs": " ".join(verb_descriptions()),
            "options": " ".join(_OPTIONS),
            "keys": " ".join(
                f"{join_key(key)}=" for key in ConfigManager().schema.keys if '"' not in join_key(key)
            ),
        }
        scripts = {"bash": _BASH % words, "zsh": _ZSH % words, "fish": _fish(words["keys"])}
        if shell not in scripts:
            raise ConfigError(f"no completion for {shell!r}", hint=suggest(shell, scripts))
        return Answer({"shell": shell, "script": scripts[shell]}, scripts[shell])


def _fish(keys: str) -> str:
    """Return fish's commands, verbs with their descriptions."""
    verbs = [
        f"complete -c chemnet -n __fish_use_subcommand -f -a {name} -d {_quoted(text)}"
        for name, text in verb_descriptions().items()
    ]
    options = [f"complete -c chemnet -l {option.removeprefix('--')}" for option in _OPTIONS]
    return "\n".join(
        [
            "# chemnet completion fish > ~/.config/fish/completions/chemnet.fish",
            *verbs,
            *options,
            f"complete -c chemnet -n 'string match -q \"*.*\" (commandline -ct)' -a {_quoted(keys)}",
        ]
    )


def _quoted(text: str) -> str:
    """Return a text as one word of fish."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
