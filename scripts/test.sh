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

part "browser for the tests" scripts/setup_browser.sh
part "style, types, layers" scripts/lint.sh
part "tests" "$bin/python" -m pytest -n 2 --dist loadgroup -m "not stack" -q
part "tests with the whole stack" "$bin/python" -m pytest -m stack -q
part "chaos, short" "$bin/python" -m tests.chaos --faults 6 --seed 1

printf '\n== how long each part took\n'
printf '%s\n' "${times[@]}"
if [ ${#failed[@]} -gt 0 ]; then
    printf 'FAILED: %s\n' "${failed[@]}"
    exit 1
fi
echo "All parts passed."
