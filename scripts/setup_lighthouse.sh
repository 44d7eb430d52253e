#!/usr/bin/env bash
# Lighthouse, pinned, below build/ for measuring pages. It needs node and npm; says so where they are not there.
set -euo pipefail
cd "$(dirname "$0")/.."
version=12.8.2
place=build/lighthouse
if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
    echo "Lighthouse needs node and npm, which are not installed here; pages are not measured by it."
    exit 3
fi
installed=$(node -p "require('./$place/node_modules/lighthouse/package.json').version" 2>/dev/null || true)
if [ "$installed" = "$version" ]; then exit 0; fi
echo "Installing lighthouse $version into $place"
npm install --prefix "$place" --ignore-scripts --no-audit --no-fund --silent "lighthouse@$version"
