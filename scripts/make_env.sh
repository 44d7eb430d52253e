#!/usr/bin/env bash
# Write .env for docker-compose.yml (and deploy/kubernetes) with fresh passwords and a token; never overwrites one.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ -e .env ]; then
    echo ".env is there already; delete it to make new passwords." >&2
    exit 1
fi
secret() { python3 -c 'import secrets; print(secrets.token_urlsafe(32))'; }
umask 077
cat > .env <<END
POSTGRES_PASSWORD=$(secret)
REDIS_PASSWORD=$(secret)
STORE_KEY_ID=aigc
STORE_SECRET=$(secret)
AIGC_TOKEN=aigc_$(secret)
AIGC_WEBHOOK_SECRET=$(secret)
END
echo "Wrote .env. Sign in with the value of AIGC_TOKEN in it."
