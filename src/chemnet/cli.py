"""The command line: ``chemnet VERB [-c FILE]... [table.key=value]...``."""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn, Self

from chemnet.config import ConfigManager
from chemnet.config.overrides import join_key
from chemnet.errors import ChemNetError, ConfigError, nearest
from chemnet.progress import coloured, configure_logging, is_first_process, process_count
from chemnet.registry import VERBS, verb_descriptions
from chemnet.results import VerbResult, command

EXIT_DONE = 0
EXIT_WRONG_USE = 2
EXIT_FAILED = 3
EXIT_INTERRUPTED = 130
_OVERRIDE = re.compile(r"[^-/\\=\s][^/\\=\s]*=")
_SPACED = re.compile(r"(?P<key>(?<!\S)[^-/\\=\s][^/\\=\s]*)(\s+=\s*|=\s+)(?P<value>\S+)")
_NEGATIVE_NUMBER = re.compile(r"-[\d.]")
HYRAX_VERBS = {
    "prepare": "preprocess",
    "create_splits": "preprocess",
    "test": "benchmark",
    "reduce_dimensions": "umap",
    "to_onnx": "export",
    "infer_stream": "infer",
}
"""What does here what these verbs of Hyrax do."""
_COMMON = ("config_files", "overrides", "debug", "json", "quiet", "verbose", "dry_run")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code.

    Parameters
    ----------
    argv
        The words after ``chemnet``; those of the process by default.

    Returns
    -------
    int
        0 done, 1 nothing found, 2 wrong use or input, 3 the run failed, 130 interrupted.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    with _Interruptible(ends_process=argv is None) as verb:
        return _told(words, verb)


def _told(words: list[str], verb: _Interruptible) -> int:
    """Run a command line, and tell what went wrong."""
    debug = "--debug" in words
    try:
        with verb.running(), command(words):
            return _dispatch(words)
    except SystemExit as stop:  # argparse has printed its message
        return stop.code if isinstance(stop.code, int) else EXIT_WRONG_USE
    except ChemNetError as error:
        _print_error(str(error), debug)
        return error.exit_code
    except KeyboardInterrupt:
        print("chemnet: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # whoever read our output has gone; keep the interpreter from complaining at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_DONE
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        _print_error(
            f"{place}{error.strerror or error}\n  hint: look at the disk, the path and its permissions", debug
        )
        return EXIT_FAILED
    except Exception as error:
        # torch is not imported for its name
        if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
            _print_error(f"out of memory: {error}\n  hint: smaller batches, or a larger machine", debug)
            return EXIT_FAILED
        _print_error(
            f"unexpected {type(error).__name__}: {error}\n  hint: a defect of chemnet or of a plugin; "
            "run again with --debug for the traceback",
            debug,
        )
        return EXIT_FAILED


class _Interruptible:
    """Lets Ctrl-C, and SIGTERM of batch systems, break off a verb, but not what is told then.

    Who runs chemnet in a thread, or has handlers of his own, keeps what he has.
    """

    def __init__(self, ends_process: bool) -> None:
        self._ends_process, self._is_running = ends_process, False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            usual = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
            for number, handler in usual.items():
                if signal.getsignal(number) is handler:
                    self._before[number] = signal.signal(number, self._interrupt)
        return self

    def __exit__(self, *error: object) -> None:
        for number, before in self._before.items():
            # all is told: a further Ctrl-C ends what Python still does, and prints no traceback
            signal.signal(number, signal.SIG_DFL if self._ends_process else before)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Let the block be broken off."""
        self._is_running = True
        try:
            yield
        finally:
            self._is_running = False

    def _interrupt(self, number: int, frame: Any) -> None:
        if self._is_running:
            raise KeyboardInterrupt


def _dispatch(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help"):
        print(_overview())
        return EXIT_DONE if words else EXIT_WRONG_USE
    if words[0] in ("-V", "--version"):
        from importlib.metadata import version

        print(f"chemnet {version('chemnet')}")
        return EXIT_DONE
    name = words[0]
    if name.startswith("-") or _OVERRIDE.match(name):
        raise ConfigError(
            f"the verb comes first: '{name}' stands where a verb is expected",
            hint="write chemnet VERB [-c FILE]... [table.key=value]...",
        )
    if name not in VERBS and name not in VERBS.names():
        near = [HYRAX_VERBS[name]] if name in HYRAX_VERBS else nearest(name, VERBS.names())
        raise ConfigError(
            f"no verb is called '{name}'",
            hint=f"did you mean {' or '.join(near)}?" if near else "`chemnet --help` lists the verbs",
        )
    verb_class = VERBS.get(name)
    if process_count() > 1 and not verb_class.in_group:
        raise ConfigError(
            f"{process_count()} processes (torchrun) cannot do `{name}` together",
            hint=f"start one: chemnet {name}; general.dask spreads some verbs over workers",
        )
    args = _parse(verb_class, name, words[1:])
    result = _run(verb_class, args)
    if result is not None and is_first_process():
        _print_result(result, args)
    return getattr(result, "exit_code", EXIT_DONE)


def _print_result(result: Any, args: argparse.Namespace) -> None:
    """Print a result as JSON, as text, or where it is quiet the path of what was written."""
    if args.json:
        print(json.dumps(result.to_dict(), indent=2, default=str))
    elif not args.quiet:
        print(result)
    elif isinstance(result, VerbResult):
        print(result.path)


def _run(verb_class: Any, args: argparse.Namespace) -> Any:
    manager = ConfigManager(args.config_files, verb_class.configuration_words(args.overrides))
    general = manager.config["general"]
    level = "warning" if args.quiet else "debug" if args.verbose else general["log_level"]
    configure_logging(level, general["log_destination"])
    manager.announce()
    verb = verb_class(manager.config)
    if hasattr(verb, "manager"):
        verb.manager = manager
    own = {name: value for name, value in vars(args).items() if name not in _COMMON}
    run = verb.plan_cli if getattr(args, "dry_run", False) else verb.run_cli
    return run(argparse.Namespace(**own))


def _parse(verb_class: Any, name: str, words: list[str]) -> argparse.Namespace:
    """Read a verb's words; ``table.key=value`` may stand anywhere."""
    parser = build_parser(verb_class, name)
    overrides: list[str] = []
    rest: list[str] = []
    for previous, word in zip(["", *words], words, strict=False):
        is_value = previous in ("-c", "--config")
        if previous.startswith("--") and _NEGATIVE_NUMBER.match(word):
            rest[-1] = f"{previous}={word}"  # argparse would take the minus for an option
        else:
            (overrides if _OVERRIDE.match(word) and not is_value else rest).append(word)
    args, stray = parser.parse_known_intermixed_args(rest)
    if stray:
        raise _stray_word(verb_class, name, stray, words)
    args.overrides = overrides
    return args


def _stray_word(verb_class: Any, name: str, stray: Sequence[str], words: Sequence[str]) -> ConfigError:
    """Return the error for words that mean nothing; most are configuration keys written as options."""
    spaced = _SPACED.search(" ".join(words))
    if spaced:
        return ConfigError(
            f"chemnet {name} does not know '{spaced.group().strip()}'",
            hint=f"no space stands before or after '=': {spaced['key']}={spaced['value']}",
        )
    word, separator, value = stray[0].partition("=")
    if not separator:
        value = stray[1] if len(stray) > 1 else "..."
    wanted = word.lstrip("-").replace("-", "_")
    tables = verb_class.tables or (name,)
    keys = [key for key in ConfigManager().schema.keys if wanted in (key[-1], join_key(key))]
    keys.sort(key=lambda key: key[0] not in tables)
    hint = f"`chemnet {name} --help` lists options and configuration keys"
    if keys:
        hint = f"a configuration key is set by key=value: {join_key(keys[0])}={value}"
    return ConfigError(f"chemnet {name} does not know '{' '.join(stray)}'", hint=hint)


class _VerbParser(argparse.ArgumentParser):
    """A parser that tells of configuration keys below its options, and reports errors as chemnet does."""

    def __init__(self, verb_class: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._verb_class = verb_class

    def format_help(self) -> str:
        """Return options, inputs, examples and keys."""
        from chemnet.verbs.help_text import help_text

        return f"{super().format_help()}\n{help_text(self._verb_class, ConfigManager().schema)}\n"

    def error(self, message: str) -> NoReturn:
        """Raise instead of leaving."""
        raise ConfigError(f"{self.prog}: {message}", hint=f"`{self.prog} --help` lists options and keys")


def build_parser(verb_class: Any, name: str) -> argparse.ArgumentParser:
    """Return the parser of one verb, common options included."""
    parser = _VerbParser(
        verb_class,
        prog=f"chemnet {name}",
        usage=f"chemnet {name} [-c FILE]... [table.key=value]... [options]",
        description=f"{verb_class.description}.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        **dict(verb_class.add_parser_kwargs),
    )
    verb_class.setup_parser(parser)
    common = parser.add_argument_group("common options")
    common.add_argument(
        "-c",
        "--config",
        dest="config_files",
        action="append",
        default=[],
        metavar="FILE",
        help="a TOML file; repeatable",
    )
    common.add_argument("--json", action="store_true", help="print the result as JSON")
    common.add_argument("--debug", action="store_true", help="show the traceback of an error")
    if verb_class.has_plan():
        common.add_argument(
            "--dry-run", action="store_true", help="tell what would be read and made, and write nothing"
        )
    loudness = common.add_mutually_exclusive_group()
    loudness.add_argument(
        "--quiet", action="store_true", help="no progress, warnings only; prints the result's path"
    )
    loudness.add_argument("--verbose", action="store_true", help="log in detail")
    return parser


def _overview() -> str:
    """Return the text of ``chemnet --help``."""
    described = verb_descriptions()
    width = max(len(name) for name in described)
    lines = [f"  {name:<{width}}  {text}" for name, text in described.items()]
    return "\n".join(
        [
            "usage: chemnet VERB [-c FILE]... [table.key=value]... [--json] [--debug] [--quiet | --verbose]",
            "",
            "Neural surrogates of astrochemistry: from the tracers of a simulation to a trusted emulator.",
            "",
            "verbs:",
            *lines,
            "",
            "chemnet VERB --help        options, inputs, examples and configuration keys of one verb",
            "chemnet VERB --dry-run     what it would read and make, and about how long that takes",
            "chemnet config             every configuration key with its value",
            "chemnet demo               the whole chain on a small set",
            "",
            "exit codes: 0 done, 1 nothing found, 2 wrong use or input, 3 the run failed, 130 interrupted",
        ]
    )


def _print_error(text: str, debug: bool) -> None:
    """Print an error in one place and, for ``--debug``, its traceback first."""
    if debug:
        traceback.print_exc()
    print(f"{coloured('chemnet: error:', '31', sys.stderr)} {text}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
