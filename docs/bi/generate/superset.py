"""The import bundle for Apache Superset: one database, the datasets of the model, and a dashboard.
"""

import json
import re
import uuid
from collections.abc import Iterator

import dashboard
from catalog import Column, Relation
from text import folded
from views import ADDS_UP, VIEWS

# Superset recognizes what it imported before by these ids, so they must never change.
NAMESPACE = uuid.UUID("5b0f2f0c-3f0e-4b8e-9a53-7d6f0f3c1a11")
NOTE = "# Generated from the comments in the database; `make bi-docs` renews it.\n"
DATABASE = "Seatledger"


def bundle(relations: dict[str, Relation]) -> Iterator[tuple[str, str]]:
    # Without a type, each of Superset's ways to import takes it.
    yield (
        "metadata.yaml",
        f"{NOTE}version: 1.0.0\ntimestamp: '2026-01-01T00:00:00+00:00'\n",
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
    for chart in dashboard.CHARTS:
        check(chart, relations)
        yield f"charts/{file_name(chart.name)}.yaml", chart_file(chart)
    yield f"dashboards/{DATABASE}.yaml", dashboard_file()


def identity(name: str) -> uuid.UUID:
    return uuid.uuid5(NAMESPACE, name)


def file_name(name: str) -> str:
    return re.sub(r"\W+", "_", name)


def chart_identity(chart: dashboard.Chart) -> str:
    return str(identity(f"chart: {chart.name}"))


def check(chart: dashboard.Chart, relations: dict[str, Relation]) -> None:
    """A chart names columns and metrics of its dataset alone."""
    relation = relations[chart.dataset]
    columns = [*chart.columns, *(column for column, _, _ in chart.filters)]
    columns += [chart.x] if chart.x else []
    names = [one for one in (*chart.metrics, chart.order) if isinstance(one, str)]
    metrics = {column.name for column in relation.columns if adds_up(column)} | {"count"}
    faults = [column for column in columns if not relation.has(column)]
    faults += [name for name in names if name not in metrics]
    if faults or not VIEWS[chart.dataset].in_model:
        raise SystemExit(f"the chart {chart.name!r}: {chart.dataset} has no {faults}")


def chart_file(chart: dashboard.Chart) -> str:
    text = f"{NOTE}slice_name: {chart.name}\n"
    text += folded("description", chart.description, 0)
    text += f"viz_type: {chart.kind}\n"
    text += f"dataset_uuid: {identity(chart.dataset)}\n"
    text += f"uuid: {chart_identity(chart)}\n"
    text += "version: 1.0.0\n"
    text += as_json("params", "", dashboard.params(chart))
    text += as_json("query_context", "|-", dashboard.query_context(chart))
    return text


def dashboard_file() -> str:
    text = f"{NOTE}dashboard_title: '{dashboard.TITLE}'\n"
    text += "slug: seatledger\n"
    text += f"uuid: {identity('dashboard')}\n"
    text += "version: 1.0.0\n"
    text += "published: true\n"
    text += "metadata: {}\n"
    identities = [chart_identity(chart) for chart in dashboard.CHARTS]
    return text + as_json("position", "", dashboard.position(identities))


def as_json(key: str, style: str, value: object) -> str:
    """JSON as a value of YAML, which understands it; with the style "|-" as a text."""
    lines = json.dumps(value, indent=2).splitlines()
    return f"{key}: {style}".rstrip() + "\n" + "".join(f"  {line}\n" for line in lines)


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
    text += "metrics:\n  - metric_name: count\n    verbose_name: Rows\n"
    text += "    metric_type: count\n    expression: COUNT(*)\n"
    warning = ""
    for column in relation.portable_columns:
        if adds_up(column):
            # The comment of a column that says "likewise" goes on from the one before.
            warning = additivity(column) or warning
            text += f"  - metric_name: {column.name}\n"
            text += f"    verbose_name: {in_words(column.name)}\n"
            text += "    metric_type: sum\n"
            text += f"    expression: SUM({column.name})\n"
            text += folded("description", column.comment, 4)
            if warning:
                text += folded("warning_text", warning, 4)
            text += "    d3format: ',d'\n"
    text += "columns:\n"
    for column in relation.portable_columns:
        text += f"  - column_name: {column.name}\n"
        text += f"    verbose_name: {in_words(column.name)}\n"
        text += f"    type: {superset_type(column)}\n"
        text += f"    is_dttm: {str(is_time(column)).lower()}\n"
        text += "    is_active: true\n"
        text += f"    groupby: {str(not is_figure(column)).lower()}\n"
        text += "    filterable: true\n"
        text += folded("description", column.comment, 4)
    return text


def additivity(column: Column) -> str:
    """What the comment says of sums."""
    sentences = re.split(r"(?<=\.) (?=[A-Z])", column.comment)
    return " ".join(found for found in sentences if re.search(r"\badds? up\b", found))


def in_words(name: str) -> str:
    """A column's name as people say it: licenses_active_change_7d is "Active seats, change in 7
    days"."""
    words = re.sub(r"^licenses_to_", "seats_to_", name)
    words = re.sub(r"^licenses_(\w+?)(?=$|_\d|_change)", r"\1_seats", words)
    words = re.sub(r"_change_(\d+)d$", r", change in \1 days", words)
    words = re.sub(r"_(\d+)d_ago$", r" \1 days ago", words).replace("_", " ")
    return words[0].upper() + words[1:]


def adds_up(column: Column) -> bool:
    return column.type == "bigint" and column.name.startswith(ADDS_UP)


def is_figure(column: Column) -> bool:
    return column.type == "double precision" or adds_up(column)


def is_time(column: Column) -> bool:
    return column.type == "date" or column.type.startswith("timestamp")


def superset_type(column: Column) -> str:
    return column.short_type.upper()
