"""docs/bi.md, whose lists are generated, and the data dictionary."""

import re
from collections.abc import Iterator
from pathlib import Path

from catalog import Column, Relation
from text import cell, wrapped
from views import CUSTOMER, DATES, GROUPS, VIEWS, View

NOTE = "<!-- Generated from the comments in the database; `make bi-docs` renews it. -->"

# A comment with the number and the question, then its statement.
QUESTION = re.compile(r"^-- (\d+)\. ([^\n]*(?:\n-- [^\n]*)*)\n((?:(?!--|\\)[^\n]+\n)+)", re.M)


def guide(root: Path, relations: dict[str, Relation]) -> str:
    """docs/bi.md with what stands between its markers renewed."""
    parts = {
        "views": list_of_views(relations),
        "questions": questions((root / "demo/questions.sql").read_text(encoding="utf-8")),
    }
    text = (root / "docs/bi.md").read_text(encoding="utf-8")
    for name, part in parts.items():
        marked = re.compile(rf"(<!-- generated: {name} -->\n).*?(<!-- end -->)", re.S)
        text, replaced = marked.subn(lambda found, part=part: found[1] + part + found[2], text)
        if replaced != 1:
            raise SystemExit(f"docs/bi.md must have one part 'generated: {name}'.")
    return text


def list_of_views(relations: dict[str, Relation]) -> str:
    text = ""
    for group, heading in GROUPS.items():
        text += f"\n**{heading}**\n\n| view | one row for each | what it has |\n"
        text += "| --- | --- | --- |\n"
        for relation in relations.values():
            view = VIEWS[relation.name]
            if view.group == group:
                link = f"[`{relation.name}`](bi/dictionary/{group}.md#{relation.name})"
                text += f"| {link} | {grain(view)} | {cell(relation.first_sentence)} |\n"
    return text + "\n"


def grain(view: View) -> str:
    return ", ".join(f"`{column}`" for column in view.grain)


def questions(sql: str) -> str:
    found = QUESTION.findall(sql)
    if not found:
        return ""
    text = ""
    for number, question, statement in found:
        question = question.replace("\n-- ", " ")
        text += f"\n{wrapped(f'**{number}. {question}**', '')}\n\n```sql\n{statement}```\n"
    return text + "\n"


# The dictionary ----------------------------------------------------------------------------------


def dictionary(relations: dict[str, Relation]) -> Iterator[tuple[str, str]]:
    yield "README.md", overview(relations)
    for group, heading in GROUPS.items():
        text = f"{NOTE}\n\n# {heading}\n"
        for relation in relations.values():
            if VIEWS[relation.name].group == group:
                text += described(relation)
        yield f"{group}.md", text


def described(relation: Relation) -> str:
    view = VIEWS[relation.name]
    text = f"\n## {relation.name}\n\n{wrapped(relation.comment, '')}\n\n"
    text += wrapped(f"One row for each {grain(view)}.", "") + "\n\n"
    text += "| column | type | meaning |\n| --- | --- | --- |\n"
    for column in relation.columns:
        text += f"| `{column.name}` | {column.short_type} | {cell(column.comment)} |\n"
    return text


def overview(relations: dict[str, Relation]) -> str:
    text = f"{NOTE}\n\n# Data dictionary\n\n"
    for group, heading in GROUPS.items():
        names = ", ".join(f"`{r}`" for r in relations if VIEWS[r].group == group)
        text += wrapped(f"[{heading}]({group}.md): {names}.", "  ", "- ") + "\n"
    text += (
        "\nThe diagrams show the columns by which the views are joined. Most relate to one\n"
        "customer and to one day; a month relates to its first day.\n"
    )
    for group, heading in GROUPS.items():
        text += f"\n## {heading}\n\n{diagram(relations, group)}"
    return text


def diagram(relations: dict[str, Relation], group: str) -> str:
    """The views of a group, with their keys, and the two dimensions that they relate to."""
    members = [r for r in relations.values() if VIEWS[r.name].group == group]
    edges = []
    for relation in members:
        view = VIEWS[relation.name]
        if relation.has("customer_id") and relation.name != CUSTOMER[0]:
            many = "||--o|" if view.grain == ("customer_id",) else "||--o{"
            edges.append(f"    {CUSTOMER[0]} {many} {relation.name} : {CUSTOMER[1]}\n")
        if view.date and relation.name != DATES[0]:
            edges.append(f"    {DATES[0]} ||--o{{ {relation.name} : {view.date}\n")
    shown = {r.name: r for r in members}
    for name in (CUSTOMER[0], DATES[0]):
        if any(f"{name} " in edge for edge in edges):
            shown.setdefault(name, relations[name])
    text = "```mermaid\nerDiagram\n" + "".join(edges)
    for relation in shown.values():
        text += f"    {relation.name} {{\n"
        text += "".join(f"        {entry}\n" for entry in keys(relation))
        text += "    }\n"
    return text + "```\n"


def keys(relation: Relation) -> Iterator[str]:
    """The columns that identify a row or lead to another view, in the notation of Mermaid."""
    view = VIEWS[relation.name]
    for column in relation.columns:
        marks = []
        if any(column.name in re.findall(r"\w+", part) for part in view.grain):
            marks.append("PK")
        if column.name in ("customer_id", view.date) and relation.name != CUSTOMER[0]:
            marks.append("FK")
        if marks:
            yield f"{mermaid_type(column)} {column.name} {', '.join(marks)}"


def mermaid_type(column: Column) -> str:
    return re.sub(r"[^a-z0-9]+", "_", column.short_type).strip("_")


# docs/tables.md ----------------------------------------------------------------------------------


def check_tables(root: Path, relations: list[Relation]) -> None:
    """Every table and view has to be named in docs/tables.md, which is written by hand."""
    named = set(re.findall(r"`(\w+)`", (root / "docs/tables.md").read_text(encoding="utf-8")))
    missing = [r.name for r in relations if r.name not in named]
    if missing:
        raise SystemExit(f"docs/tables.md does not name: {', '.join(missing)}")
