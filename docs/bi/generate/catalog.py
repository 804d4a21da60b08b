"""Reads relations, columns and comments from the database in DATABASE_URL."""

import json
import os
import re
import subprocess
from dataclasses import dataclass

from views import VIEWS

# Partitions and the bookkeeping of the migrations are nothing that anybody reads.
QUERY = r"""
select json_agg(
    json_build_object(
        'name', c.relname,
        'is_view', c.relkind = 'v',
        'comment', coalesce(obj_description(c.oid, 'pg_class'), ''),
        'columns', (
            select json_agg(
                json_build_object(
                    'name', a.attname,
                    'type', format_type(a.atttypid, a.atttypmod),
                    'comment', coalesce(col_description(c.oid, a.attnum), '')
                )
                order by a.attnum
            )
            from pg_attribute as a
            where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        )
    )
    order by c.relname
)
from pg_class as c
where c.relnamespace = current_schema()::regnamespace
    and c.relkind in ('v', 'r', 'p')
    and not c.relispartition
    and c.relname not like '\_sqlx%'
"""

# What the comment of a view begins with that only other views read.
INNER = "Inner view:"


@dataclass(frozen=True)
class Column:
    name: str
    type: str
    comment: str

    @property
    def short_type(self) -> str:
        """The type as it is written in a column list."""
        shorter = {
            "timestamp with time zone": "timestamptz",
            "double precision": "double precision",
        }
        return shorter.get(self.type, self.type.replace("character varying", "varchar"))


@dataclass(frozen=True)
class Relation:
    name: str
    is_view: bool
    comment: str
    columns: tuple[Column, ...]

    @property
    def first_sentence(self) -> str:
        return re.split(r"(?<=\.) (?=[A-Z])", self.comment, maxsplit=1)[0]

    @property
    def portable_columns(self) -> tuple[Column, ...]:
        """The columns without those of type interval, which Power BI and others cannot read. Each
        has a column in days beside it."""
        return tuple(column for column in self.columns if column.type != "interval")

    def has(self, column: str) -> bool:
        return any(found.name == column for found in self.columns)


def load() -> dict[str, Relation]:
    """The relations that `views.VIEWS` names, in its order."""
    # TODO strict
    relations = {found.name: found for found in every_relation()}
    check(relations)
    return {name: relations[name] for name in VIEWS}


def every_relation() -> list[Relation]:
    psql = ["psql", "-X", "-At", "-v", "ON_ERROR_STOP=1", "-d", os.environ["DATABASE_URL"]]
    answer = subprocess.run([*psql, "-c", QUERY], check=True, capture_output=True, text=True)
    return [
        Relation(
            found["name"],
            found["is_view"],
            found["comment"],
            tuple(Column(**column) for column in found["columns"]),
        )
        for found in json.loads(answer.stdout)
    ]


def check(relations: dict[str, Relation]) -> None:
    faults = []
    for name, relation in relations.items():
        if relation.is_view and name not in VIEWS and not relation.comment.startswith(INNER):
            faults.append(
                f"{name}: not in docs/bi/generate/views.py, and its comment does not begin with "
                f"'{INNER}'"
            )
    for name, view in VIEWS.items():
        if name not in relations:
            faults.append(f"{name}: in docs/bi/generate/views.py, but not in the database")
            continue
        relation = relations[name]
        needed = [column for column in view.grain if column.isidentifier()]
        if view.date:
            needed.append(view.date)
        faults += [f"{name}: no column {c}" for c in needed if not relation.has(c)]
        faults += [f"{name}.{c.name}: no comment" for c in relation.columns if not c.comment]
        if not relation.comment:
            faults.append(f"{name}: no comment")
    if faults:
        raise SystemExit("\n".join(faults))
