#!/usr/bin/env bash
# Makes .venv with chemnet (editable) and its development tools, and installs the pre-commit hooks.
# Idempotent: an environment that already matches pyproject.toml and constraints.txt is left as it is.
#
#   bash .setup_dev.sh            CPU torch, as pinned in constraints.txt
#   bash .setup_dev.sh --cuda     leave the choice of torch build to pip
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

constraint=(-c constraints.txt)
for word in "$@"; do
    case "$word" in
        --cuda) constraint=() ;;
        *) echo "unknown option '$word'; allowed: --cuda" >&2; exit 2 ;;
    esac
done

find_python() {
    local candidate
    for candidate in "${PYTHON:-}" python3.11 python3.12 python3.13 python3; do
        if [ -n "$candidate" ] && "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    echo "chemnet needs Python 3.11 or newer; install it or name it: PYTHON=/path/to/python bash .setup_dev.sh" >&2
    return 1
}

stamp=".venv/.chemnet-setup"
wanted="$(cat pyproject.toml constraints.txt .setup_dev.sh | sha256sum | cut -d' ' -f1) ${constraint[*]:-cuda}"
if [ ! -f "$stamp" ] || [ "$(cat "$stamp")" != "$wanted" ] || ! .venv/bin/python -c 'import chemnet' 2>/dev/null; then
    python="$(find_python)"
    [ -x .venv/bin/python ] || "$python" -m venv .venv || {
        echo "could not make .venv; on Debian: apt-get install python3-venv" >&2
        exit 1
    }
    # torch first: a later requirement then finds it installed and does not choose a build of its own
    .venv/bin/python -m pip install --quiet "${constraint[@]}" torch
    .venv/bin/python -m pip install --quiet "${constraint[@]}" -e '.[dev,docs]'
    echo "$wanted" > "$stamp"
fi

if git rev-parse --git-dir >/dev/null 2>&1 && [ -f .pre-commit-config.yaml ]; then
    .venv/bin/pre-commit install --install-hooks >/dev/null
fi
echo "ready: .venv/bin/chemnet --help"
