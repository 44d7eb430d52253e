"""Who asks: the tenant whose rows are visible, the owner whose turn a job takes, and what is allowed."""

from dataclasses import dataclass
from typing import Literal

Scope = Literal["read", "submit", "admin"]


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller. Everything that reads or writes on someone's behalf takes one."""

    tenant_id: str
    owner: str
    scope: Scope = "admin"
