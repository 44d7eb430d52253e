"""Every operation of the HTTP API, from its description."""

from scripts.reference.words import Words, code, table
from web import openapi
from web.pages.api_docs import Operation, groups

ABOUT = (
    "Every address under `/api/v1`. A running server shows the same with examples under `/docs/api` and describes it "
    "as OpenAPI 3.1 under `/openapi.json`. Where a server asks for tokens send `Authorization: Bearer <token>`. This "
    "page is written by `scripts/write_reference.py`."
)


def page(t: Words) -> str:
    """A section for every noun."""
    common = set.intersection(*(_errors(one) for operations in groups().values() for one in operations if one.rows))
    everywhere = f"{t('Every address may also answer:')} {', '.join(sorted(common))}"
    parts = [f"# HTTP API\n\n{t(ABOUT)}\n\n{everywhere}\n\n"]
    for tag, operations in groups().items():
        parts.append(f"## {tag}\n\n{t(openapi.TAGS.get(tag, ''))}\n\n")
        parts += [_operation(one, common, t) for one in operations]
    return "".join(parts)


def _operation(one: Operation, common: set[str], t: Words) -> str:
    scope = t("Scope: {scope}").format(scope=one.scope)
    text = f"### {one.verb} {one.path}\n\n{t.text(one.summary, one.description)} {scope}\n\n"
    if one.rows:
        rows = [
            (
                code(row.name),
                row.place,
                row.kind.replace(" | ", ", ").replace('"', "`"),
                t("required") if row.required else "",
                t(row.description),
            )
            for row in one.rows
        ]
        text += table((t("name"), t("in"), t("type"), "", t("meaning")), rows)
    good = [f"`{status}` {t(reply)}" for status, reply in one.replies if int(status) < 400]
    bad = sorted(_errors(one) - common)
    lines = [f"- {t('Answers:')} {' '.join(good)}", f"- {t('Errors:')} {', '.join(bad)}" if bad else ""]
    return text + "\n".join(filter(None, lines)) + "\n\n"


def _errors(one: Operation) -> set[str]:
    """Each status with its codes: "404 `not-found`"."""
    told = [(status, reply.partition(": ")[2].rstrip(".")) for status, reply in one.replies if int(status) >= 400]
    return {f"{status} `{single}`" for status, codes in told for single in codes.split(", ")}
