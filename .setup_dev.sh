#!/usr/bin/env bash
# Makes .venv with chemnet (editable) and its development tools, and installs the pre-commit hooks.
# Idempotent: an environment that already matches pyproject.toml and constraints.txt is left as it is.
#
#   bash .setup_dev.sh            the CPU build of torch, as pinned in constraints.txt
#   bash .setup_dev.sh --cuda     leave the choice of torch build to pip
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

torch_build=cpu
for word in "$@"; do
    case "$word" in
        --cuda) torch_build=cuda ;;
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

make_venv() {
    if .venv/bin/python -m pip --version >/dev/null 2>&1; then
        return
    fi
    local python
    python="$(find_python)"
    if ! "$python" -m venv --clear .venv; then
        rm -rf .venv
        echo "could not make .venv; on Debian: apt-get install python3-venv" >&2
        return 1
    fi
}

# -qq: errors only
pip_install() {
    .venv/bin/python -m pip install -qq --disable-pip-version-check "$@"
}

# On Linux the plain version brings gigabytes of CUDA; the CPU build has a local version of its own, which pip finds
# where an index or wheel folder that has it is configured (CONTRIBUTING.md). Elsewhere the plain version is the CPU build.
install_cpu_torch() {
    local version
    version="$(sed -n 's/^torch==//p' constraints.txt)"
    if [ "$(uname -s)" = Linux ]; then
        pip_install "torch==$version+cpu" 2>/dev/null && return
    fi
    pip_install "torch==$version"
}

# torch first: chemnet's own requirement then finds it installed and chooses no other build
install_packages() {
    if [ "$torch_build" = cuda ]; then
        pip_install torch
        pip_install -e '.[dev,docs]'
    else
        install_cpu_torch
        pip_install -c constraints.txt -e '.[dev,docs]'
    fi
}

install_hooks() {
    if ! git rev-parse --git-dir >/dev/null 2>&1 || [ ! -f .pre-commit-config.yaml ]; then
        return
    fi
    .venv/bin/pre-commit install >/dev/null ||
        echo "pre-commit hooks were not installed (see above); run .venv/bin/pre-commit run --all-files by hand" >&2
}

stamp=".venv/.chemnet-setup"
wanted="$torch_build $(cat pyproject.toml constraints.txt .setup_dev.sh | sha256sum | cut -d' ' -f1)"
if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ] || ! .venv/bin/python -c 'import chemnet' 2>/dev/null; then
    echo "installing chemnet and its tools into .venv (a few minutes) ..."
    make_venv
    install_packages
    echo "$wanted" > "$stamp"
fi
install_hooks
echo "ready: .venv/bin/chemnet --help"
