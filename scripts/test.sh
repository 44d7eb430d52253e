#!/usr/bin/env bash
# Everything `make test` promises, part by part, with the time of each.
set -uo pipefail
cd "$(dirname "$0")/.."
bin=${VENV:-.venv}/bin
times=()
failed=()

part() {
    local name=$1 started=$SECONDS
    shift
    printf '\n== %s\n' "$name"
    "$@" || failed+=("$name")
    times+=("$(printf '%5d s  %s' $((SECONDS - started)) "$name")")
}

# Two cores are easily overrun by real servers and browsers, so what failed is run once more, alone. A
# fault fails both times; what passes alone is listed by the first run and is worth a look.
tests() {
    "$bin/python" -m pytest -q "$@" || {
        printf '\n-- again, alone: what failed\n'
        "$bin/python" -m pytest -q --last-failed --last-failed-no-failures none "$@" -n 0
    }
}

# Downloads and the type checker leave a core free each, so the browser comes meanwhile.
browser() {
    wait "$installing" || true # tried once more
    scripts/setup_browser.sh
}

scripts/setup_browser.sh early &
installing=$!
part "setup" scripts/setup.sh dev
if [ ${#failed[@]} -gt 0 ]; then
    echo "FAILED: setup"
    exit 1
fi
part "style, types, layers" scripts/lint.sh
part "browser for the tests" browser
part "tests" tests -m "not stack and not long" -n 2 --dist loadgroup
part "tests with the whole stack" tests -m "stack and not long" -n 2 --dist loadfile
part "chaos, short" "$bin/python" -m tests.chaos --short --seed 1

printf '\n== how long each part took\n'
printf '%s\n' "${times[@]}"
if [ ${#failed[@]} -gt 0 ]; then
    printf 'FAILED: %s\n' "${failed[@]}"
    exit 1
fi
echo "All parts passed."
