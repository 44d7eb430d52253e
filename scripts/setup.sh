#!/usr/bin/env bash
# Make .venv and install the project into it: `setup.sh run` for the product, `setup.sh dev` for tests too.
# Does nothing when what is installed already matches pyproject.toml and constraints.txt.
set -euo pipefail
cd "$(dirname "$0")/.."
kind=${1:-run}
venv=${VENV:-.venv}

python=""
for candidate in python3.13 python3.12 python3.11 python3; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    echo "Python 3.11 or newer is needed. Install it, then run this again." >&2
    exit 1
fi

want=$(cat pyproject.toml constraints.txt scripts/setup.sh | sha256sum | cut -c1-16)
for stamp in "$venv/.installed-dev" "$venv/.installed-$kind"; do
    if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$want" ]; then exit 0; fi
done

started=$SECONDS
if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then # also when making it was interrupted
    echo "Making $venv with $($python --version)"
    "$python" -m venv --clear "$venv"
fi

# In a terminal pip shows what it downloads; a log gets a line for each step. What goes wrong is shown in both.
if [ ! -t 1 ]; then export PIP_QUIET=1; fi
pip() { "$venv/bin/python" -m pip --disable-pip-version-check "$@"; }

step=0
steps=2
if [ "$kind" = dev ]; then steps=4; fi
install() { # install NAME ARGUMENTS...: one step, with its number and the time it took
    local name=$1 began=$SECONDS
    shift
    step=$((step + 1))
    echo "$name ($step of $steps)"
    if ! pip install --constraint constraints.txt "$@"; then
        echo "Installing stopped at: $name. What is above says why. Run it again: what is there already stays." >&2
        exit 1
    fi
    echo "  $((SECONDS - began)) s"
}

echo "Installing into $venv (one to several minutes; PyTorch is the large part)"
pip install --quiet 'pip>=25.1'
install "PyTorch" torch
install "AIGC Foundry and what it needs" --editable '.[worker,postgres]'
if [ "$kind" = dev ]; then
    install "Pretrained language models" --editable '.[llm]'
    install "Tools for tests" --group dev
fi
echo "$want" > "$venv/.installed-$kind"
echo "Installed in $((SECONDS - started)) s"
