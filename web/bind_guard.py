"""Refuses to serve the world without a token."""

import ipaddress

from jobs.settings import Settings

REFUSAL = (
    "aigc will not serve {host} to other machines without a token, because anyone who reaches it could "
    "run jobs and read data. Make one with `aigc token create`, or set AIGC_TOKEN to a long random text, "
    "then start again. To serve this machine only, set AIGC_HOST=127.0.0.1."
)


def is_loopback(host: str) -> bool:
    """Whether an address to bind is reachable from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def refusal(settings: Settings) -> str:
    """Why the server must not start, or nothing."""
    if is_loopback(settings.host) or settings.token is not None or _has_tokens(settings):
        return ""
    return REFUSAL.format(host=settings.host)


def _has_tokens(settings: Settings) -> bool:
    from jobs import tokens
    from jobs.engine import open_engine

    engine = open_engine(settings)
    try:
        return tokens.any_active(engine)
    finally:
        engine.db.dispose()  # nothing of it may live on after the fork
