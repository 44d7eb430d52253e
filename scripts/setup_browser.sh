#!/usr/bin/env bash
# A Chromium with Chinese fonts for the browser tests: Debian's where that is possible, else Playwright's own.
# `setup_browser.sh early` does what needs no .venv, and nothing else.
set -euo pipefail
venv=${VENV:-.venv}
if command -v chromium >/dev/null && { ! command -v fc-list >/dev/null || fc-list :lang=zh | grep -q .; }; then exit 0; fi
if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    echo "Installing chromium and fonts-noto-cjk"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-noto-cjk fontconfig >/dev/null
elif [ "${1:-}" != early ] && ! command -v chromium >/dev/null; then
    "$venv/bin/playwright" install chromium
fi
