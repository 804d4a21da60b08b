"""The import bundle for Apache Superset: one database and the datasets of the model."""

import uuid
from collections.abc import Iterator

from catalog import Column, Relation
from text import folded
from views import ADDS_UP, VIEWS

# Superset recognizes what it imported before by these ids, so they must never change.
NAMESPACE = uuid.UUID("5b0f2f0c-3f0e-4b8e-9a53-7d6f0f3c1a11")
NOTE = "# Generated from the comments in the database; `make bi-docs` renews it.\n"
DATABASE = "Seatledger"


def bundle(relations: dict[str, Relation]) -> Iterator[tuple[str, str]]:
    yield (
        "metadata.yaml",
        (f"{NOTE}version: 1.0.0\ntype: SqlaTable\ntimestamp: '2026-01-01T00:00:00+00:00'\n"),
    )
    yield (
        f"databases/{DATABASE}.yaml",
        (
            f"{NOTE}"
            f"database_name: {DATABASE}\n"
            "sqlalchemy_uri: postgresql+psycopg2://bi_reader:XXXXXXXXXX@localhost:5432/seatledger\n"
            "expose_in_sqllab: true\n"
            "allow_dml: false\n"
            "extra: {}\n"
            f"uuid: {identity(DATABASE)}\n"
            "version: 1.0.0\n"
        ),
    )
    for relation in relations.values():
        if VIEWS[relation.name].in_model:
            yield f"datasets/{DATABASE}/{relation.name}.yaml", dataset(relation)


def identity(name: str) -> uuid.UUID:
    return uuid.uuid5(NAMESPACE, name)


def dataset(relation: Relation) -> str:
    view = VIEWS[relation.name]
    text = f"{NOTE}table_name: {relation.name}\n"
    text += "schema: public\n"
    text += folded("description", relation.comment, 0)
    text += f"main_dttm_col: {view.date or 'null'}\n"
    text += "offset: 0\n"
    text += f"uuid: {identity(relation.name)}\n"
    text += f"database_uuid: {identity(DATABASE)}\n"
    text += "version: 1.0.0\n"
    text += "metrics:\n  - metric_name: count\n    metric_type: count\n    expression: COUNT(*)\n"
    for column in relation.portable_columns:
        if adds_up(column):
            text += f"  - metric_name: {column.name}\n"
            text += "    metric_type: sum\n"
            text += f"    expression: SUM({column.name})\n"
            text += folded("description", column.comment, 4)
            text += "    d3format: ',d'\n"
    text += "columns:\n"
    for column in relation.portable_columns:
        text += f"  - column_name: {column.name}\n"
        text += f"    type: {superset_type(column)}\n"
        text += f"    is_dttm: {str(is_time(column)).lower()}\n"
        text += "    is_active: true\n"
        text += f"    groupby: {str(not is_figure(column)).lower()}\n"
        text += "    filterable: true\n"
        text += folded("description", column.comment, 4)
    return text


def adds_up(column: Column) -> bool:
    return column.type == "bigint" and column.name.startswith(ADDS_UP)


def is_figure(column: Column) -> bool:
    return column.type == "double precision" or adds_up(column)


def is_time(column: Column) -> bool:
    return column.type == "date" or column.type.startswith("timestamp")


def superset_type(column: Column) -> str:
    return column.short_type.upper()
