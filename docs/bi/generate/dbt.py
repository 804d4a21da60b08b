"""The source file for dbt: every view with its comments, and tests of its grain."""

from catalog import Relation
from text import folded
from views import VIEWS

HEAD = """\
# Generated from the comments in the database; `make bi-docs` renews it.
# Copy this file into the models folder of a dbt project (dbt 1.10 or later).
version: 2

sources:
  - name: seatledger
    schema: "{{ var('seatledger_schema', 'public') }}"
    config:
      # A day late is the worst that a daily schedule should show.
      freshness:
        warn_after: {count: 36, period: hour}
        error_after: {count: 72, period: hour}
    tables:
"""

# The columns from which dbt takes the age of the data. The other views have no freshness of their
# own, because they show what the ledger has, however old.
LOADED_AT = {"customer_freshness": "last_success_at"}


def sources(relations: dict[str, Relation]) -> str:
    return HEAD + "".join(table(relation) for relation in relations.values())


def table(relation: Relation) -> str:
    grain = VIEWS[relation.name].grain
    text = f"      - name: {relation.name}\n"
    text += folded("description", relation.comment, 8)
    loaded_at = LOADED_AT.get(relation.name)
    config = f"loaded_at_field: {loaded_at}" if loaded_at else "freshness: null"
    text += f"        config:\n          {config}\n"
    text += unique(grain)
    text += "        columns:\n"
    for column in relation.columns:
        text += f"          - name: {column.name}\n"
        text += folded("description", column.comment, 12)
        text += f"            data_type: {column.short_type}\n"
        if column.name in grain:
            tests = "[unique, not_null]" if len(grain) == 1 else "[not_null]"
            text += f"            data_tests: {tests}\n"
    return text


def unique(grain: tuple[str, ...]) -> str:
    """A test that no two rows have the same grain: a row value is as good as one column to
    Postgres, so that no package of macros is needed."""
    if len(grain) == 1:
        return ""
    return ("        data_tests:\n          - unique:\n              arguments:\n") + folded(
        "column_name", f"({', '.join(grain)})", 16
    )
