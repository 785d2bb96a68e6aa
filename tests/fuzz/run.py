"""Fuzz one target, by atheris where it is installed and by plain mutation where it is not.

    PYTHONPATH=src:tests python tests/fuzz/run.py krome --minutes 10

Inputs that break a reader are kept in `tests/fuzz/cases/TARGET/`; `tests/fuzz/test_fuzz.py` reads them all.
"""

from __future__ import annotations

import argparse
import hashlib
import logging
import random
import resource
import sys
import tempfile
import time
import traceback
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
CASES = HERE / "cases"
#: a defect is told once, by the line that raised
_told: set[str] = set()


def tried(name: str, data: bytes) -> None:
    """Read bytes; keep those that break the reader in a way that none did before."""
    from fuzz.targets import TARGETS, TooLong

    try:
        TARGETS[name](data)
    except (Exception, TooLong) as error:
        frames = traceback.extract_tb(error.__traceback__)
        ours = [frame for frame in frames if "/chemnet/" in frame.filename] or frames
        where = f"{type(error).__name__} at {Path(ours[-1].filename).name}:{ours[-1].lineno}"
        if where not in _told:
            _told.add(where)
            file = CASES / name / hashlib.blake2b(data, digest_size=6).hexdigest()
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
            print(f"{where}: {str(error)[:200]!r} kept as {file}", file=sys.stderr, flush=True)


def by_mutation(name: str, seconds: float, seed: int) -> int:
    """Try random changes of the seeds for a time of this process's CPU; return how many."""
    from fuzz.targets import TARGETS

    rng, count = random.Random(seed), 0
    for data in TARGETS[name].seeds:
        tried(name, data)
    while time.process_time() < seconds:
        tried(name, TARGETS[name].mutated(rng))
        count += 1
    return count


def by_atheris(name: str, seconds: float, seed: int) -> None:
    """Let libFuzzer look for inputs that reach new lines of chemnet; it ends the process."""
    import atheris

    with atheris.instrument_imports(include=["chemnet"]):
        from fuzz.targets import TARGETS
    corpus = Path(tempfile.mkdtemp(prefix=f"fuzz-{name}-"))
    for number, data in enumerate([*TARGETS[name].seeds, *(file.read_bytes() for file in cases(name))]):
        (corpus / str(number)).write_bytes(data)
    words = [f"-max_total_time={int(seconds)}", f"-seed={seed}", "-timeout=60", "-rss_limit_mb=6000"]
    words += ["-max_len=20000", "-len_control=0", "-print_final_stats=1"]
    if TARGETS[name].words:
        dictionary = corpus.with_suffix(".dict")
        lines = (f'"{_escaped(word)}"\n' for word in TARGETS[name].words)
        dictionary.write_text("".join(lines), encoding="ascii")
        words.append(f"-dict={dictionary}")
    atheris.Setup([sys.argv[0], *words, str(corpus)], lambda data: tried(name, data))
    atheris.Fuzz()


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)


def cases(name: str) -> list[Path]:
    """The inputs of a target that once broke a reader."""
    return sorted((CASES / name).glob("*")) if (CASES / name).is_dir() else []


def main() -> int:
    """Fuzz; 1 when something broke."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("target")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--mutate", action="store_true", help="without atheris; minutes are of CPU then")
    words = parser.parse_args()
    logging.disable()
    if not words.mutate:
        try:
            by_atheris(words.target, 60.0 * words.minutes, words.seed)
        except ModuleNotFoundError:
            print("atheris is not installed; plain mutation", file=sys.stderr)
    count = by_mutation(words.target, 60.0 * words.minutes, words.seed)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    told = f"{count} inputs, {time.process_time():.0f} s of CPU, {memory:.1f} GB at most"
    print(f"{words.target}: {told}, {len(_told)} defects")
    return int(bool(_told))


if __name__ == "__main__":
    sys.exit(main())
