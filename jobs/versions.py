"""The versions of jobs that many look at: one number each, all that are asked for at the same time in one query."""

from collections.abc import Collection, Mapping

from sqlalchemy import ARRAY, String, any_, bindparam, select

from jobs.db import Database
from jobs.group_read import GroupRead
from jobs.tables import Job

Whose = tuple[str, str]  # tenant, job
Versions = GroupRead[Whose, int]

_COLUMNS = select(Job.tenant_id, Job.id, Job.version)
_OF_ANY = _COLUMNS.where(Job.id == any_(bindparam("ids", type_=ARRAY(String))))  # one plan for any number of them
_OF_EACH = _COLUMNS.where(Job.id.in_(bindparam("ids", expanding=True)))  # SQLite knows no arrays


def read_together(database: Database) -> Versions:
    """Tells a job's version by its tenant and id; None where the tenant has no such job."""
    statement = _OF_EACH if database.is_sqlite else _OF_ANY

    def read(jobs: Collection[Whose]) -> Mapping[Whose, int]:
        rows = database.glance(statement, {"ids": [job for _, job in jobs]})
        return {(tenant, job): version for tenant, job, version in rows}

    return GroupRead(read)
