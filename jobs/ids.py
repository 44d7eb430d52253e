"""Ids that sort by time and say what they name: ``job_06ew...``."""

import base64
from typing import Literal

from uuid_utils import uuid7

Prefix = Literal["job", "ds", "mdl", "art", "tok", "wrk", "att", "dlv", "upl", "pse", "fbk"]


def new_id(prefix: Prefix) -> str:
    """A new id: the prefix and a UUIDv7 in 26 characters of lower-case base 32 (sorts by time)."""
    text = base64.b32hexencode(uuid7().bytes).decode().rstrip("=").lower()
    return f"{prefix}_{text}"
