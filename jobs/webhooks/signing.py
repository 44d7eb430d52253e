"""Signatures by the Standard Webhooks scheme, and the secret they are made with."""

import base64
import hashlib
import hmac
import os
import secrets as randomness
from collections.abc import Mapping, Sequence
from pathlib import Path

from jobs.settings import Settings

PREFIX = "whsec_"
FILE = "webhook.secret"


def secrets(settings: Settings) -> list[str]:
    """The secrets in use: ``AIGC_WEBHOOK_SECRET`` (several while one is replaced), else the one in the home directory.

    The latter is made at the first call. Schedulers on several hosts must be given the same secret.
    """
    if settings.webhook_secret is not None:
        return [part.strip() for part in settings.webhook_secret.get_secret_value().split(",")]
    return [_kept(settings.home / FILE)]


def headers(keys: Sequence[str], id_: str, moment: int, body: bytes) -> Mapping[str, str]:
    """The headers that prove where a body comes from, and when it was sent."""
    signed = f"{id_}.{moment}.".encode() + body
    found = (base64.b64encode(hmac.digest(_key(secret), signed, hashlib.sha256)).decode() for secret in keys)
    return {
        "webhook-id": id_,
        "webhook-timestamp": str(moment),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in found),
    }


def _key(secret: str) -> bytes:
    """The bytes of a secret: after ``whsec_`` they are written in base64, else they are the text itself."""
    return base64.b64decode(secret.removeprefix(PREFIX)) if secret.startswith(PREFIX) else secret.encode()


def _kept(path: Path) -> str:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{randomness.token_hex(8)}")
        made = PREFIX + base64.b64encode(randomness.token_bytes(32)).decode()
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:  # noqa: PTH123 - by number
            file.write(made + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            path.hardlink_to(draft)  # of two processes the first one's secret is the secret
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text().strip()
