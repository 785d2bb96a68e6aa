"""What every result directory looks like on the disk."""

RESULT_FILE, CONFIG_FILE = "result.toml", "runtime_config.toml"
# what the verb said
LOG_FILE = "log.txt"
# of the files that verbs write; raised when an older chemnet's results can no longer be read
FORMAT = 1
# of the directory's name until it is whole
PARTIAL_PREFIX = ".partial-"
# the status of a run that ended by itself
DONE = "done"
