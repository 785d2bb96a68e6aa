"""Result directories: born hidden, whole when they have their name, and aware of what they were made from."""

from chemnet.results.directory import ParentRef, ResultDirectory, list_results
from chemnet.results.log_file import command
from chemnet.results.result_writer import ResultWriter, create_results_dir
from chemnet.results.verb_inputs import (
    Wanted,
    find_input,
    find_most_recent_results_dir,
    named_result,
    newest_input,
    resolve_input,
)
from chemnet.results.verb_result import Answer, VerbResult

__all__ = [
    "Answer",
    "ParentRef",
    "ResultDirectory",
    "ResultWriter",
    "VerbResult",
    "Wanted",
    "command",
    "create_results_dir",
    "find_input",
    "find_most_recent_results_dir",
    "list_results",
    "named_result",
    "newest_input",
    "resolve_input",
]
