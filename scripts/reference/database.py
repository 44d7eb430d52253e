"""Every table and column, from the classes."""

from sqlalchemy import CheckConstraint, Column, ForeignKey, Table, UniqueConstraint
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateColumn

from jobs.migrate import head
from jobs.tables import Base
from scripts.reference.words import Words, code, first_sentence, table

ABOUT = (
    "What the database holds, the same on SQLite and PostgreSQL; types are PostgreSQL's. The schema may change with "
    "any version: read it for reports, write it never. `aigc migrate` brings it to the newest revision, which is "
    "`{revision}`. This page is written by `scripts/write_reference.py`."
)


def page(t: Words) -> str:
    """A section for every table, in the order in which they refer to each other."""
    said = {mapper.local_table: mapper.class_.__doc__ for mapper in Base.registry.mappers}
    parts = [f"# {t('Database schema')}\n\n{t(ABOUT).format(revision=head())}\n\n"]
    for one in sorted(Base.metadata.tables.values(), key=lambda each: each.name):
        parts.append(f"## {one.name}\n\n{t(first_sentence(said[one]))}\n\n")
        rows = [(code(column.name), code(_type(column)), _facts(column, t)) for column in one.columns]
        parts.append(table((t("column"), t("type"), t("facts")), rows))
        parts.append(_rules(one, t))
    return "".join(parts)


def _type(column: Column[object]) -> str:
    made = str(CreateColumn(column).compile(dialect=postgresql.dialect()))  # type: ignore[no-untyped-call]
    return made.split(maxsplit=1)[1].split(" NOT NULL")[0]


def _facts(column: Column[object], t: Words) -> str:
    facts = [t("primary key")] if column.primary_key else []
    facts += [t("refers to {target}").format(target=code(key.target_fullname)) for key in sorted_keys(column)]
    if column.nullable:
        facts.append(t("may be empty"))
    return "; ".join(facts) if t.locale == "en" else "；".join(facts)


def sorted_keys(column: Column[object]) -> list[ForeignKey]:
    """Foreign keys of a column, in a stable order."""
    return sorted(column.foreign_keys, key=lambda key: key.target_fullname)


def _rules(one: Table, t: Words) -> str:
    lines = [
        f"- {t('index')} {code(index.name)}: {t.listed(column.name for column in index.columns)}"
        for index in sorted(one.indexes, key=lambda index: str(index.name))
    ]
    for rule in sorted(one.constraints, key=lambda rule: str(rule.name)):
        if isinstance(rule, CheckConstraint):
            lines.append(f"- {t('check')}: {code(rule.sqltext)}")
        elif isinstance(rule, UniqueConstraint):
            lines.append(f"- {t('unique')}: {t.listed(column.name for column in rule.columns)}")
    return "\n".join(lines) + "\n\n" if lines else ""
