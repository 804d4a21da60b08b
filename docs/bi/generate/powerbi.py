"""A Power BI project (PBIP): a semantic model in TMDL with measures, and an empty report."""

import json
import re
import uuid
from collections.abc import Iterator

from catalog import Column, Relation
from measures import MEASURES
from text import wrapped
from views import CUSTOMER, DATES, VIEWS

NAME = "Seatledger"
NAMESPACE = uuid.UUID("0c2a4f5e-1d67-4e0b-8c0f-5a7b9d3e2f10")
SCHEMAS = "https://developer.microsoft.com/json-schemas/fabric"

DATA_TYPES = {
    "bigint": "int64",
    "integer": "int64",
    "smallint": "int64",
    "double precision": "double",
    "boolean": "boolean",
    "date": "dateTime",
    "timestamp with time zone": "dateTime",
}


def project(relations: dict[str, Relation]) -> Iterator[tuple[str, str]]:
    tables = [relation for name, relation in relations.items() if VIEWS[name].in_model]
    check_measures({relation.name: relation for relation in tables})
    yield (
        f"{NAME}.pbip",
        document(
            "pbip/pbipProperties/1.0.0",
            version="1.0",
            artifacts=[{"report": {"path": f"{NAME}.Report"}}],
            settings={"enableAutoRecovery": True},
        ),
    )
    model = f"{NAME}.SemanticModel"
    yield (
        f"{model}/definition.pbism",
        document("item/semanticModel/definitionProperties/1.0.0", version="4.2", settings={}),
    )
    yield f"{model}/definition/database.tmdl", "database\n\tcompatibilityLevel: 1600\n"
    yield (
        f"{model}/definition/expressions.tmdl",
        (
            parameter("Server", "localhost:5432")
            + parameter("Database", "seatledger")
            + parameter("SchemaName", "public")
        ),
    )
    yield f"{model}/definition/model.tmdl", model_properties(tables)
    yield f"{model}/definition/relationships.tmdl", relationships(tables)
    for relation in tables:
        yield f"{model}/definition/tables/{relation.name}.tmdl", table(relation)
    yield from report()


def check_measures(tables: dict[str, Relation]) -> None:
    """A measure of a column that is not in the model would be found by Power BI alone."""
    for measure in (measure for measures in MEASURES.values() for measure in measures):
        for name, column in re.findall(r"(\w+)\[(\w+)\]", measure.dax):
            if name not in tables or not tables[name].has(column):
                raise SystemExit(f"The measure '{measure.name}' needs {name}[{column}].")


def document(schema: str, **fields: object) -> str:
    text = json.dumps({"$schema": f"{SCHEMAS}/{schema}/schema.json", **fields}, indent=2) + "\n"
    # The address stands on a line of its own, because no line may be longer than 100 columns.
    return text.replace('"$schema": ', '"$schema":\n    ')


def report() -> Iterator[tuple[str, str]]:
    """One empty page, because a project is opened by its report."""
    folder = f"{NAME}.Report"
    yield (
        f"{folder}/definition.pbir",
        document(
            "item/report/definitionProperties/1.0.0",
            version="4.0",
            datasetReference={"byPath": {"path": f"../{NAME}.SemanticModel"}},
        ),
    )
    definition = "item/report/definition"
    yield (
        f"{folder}/definition/version.json",
        document(f"{definition}/versionMetadata/1.0.0", version="1.0.0"),
    )
    yield (
        f"{folder}/definition/report.json",
        document(f"{definition}/report/1.0.0", layoutOptimization="None", themeCollection={}),
    )
    yield (
        f"{folder}/definition/pages/pages.json",
        document(f"{definition}/pagesMetadata/1.0.0", pageOrder=["seats"], activePageName="seats"),
    )
    yield (
        f"{folder}/definition/pages/seats/page.json",
        document(
            f"{definition}/page/1.0.0",
            name="seats",
            displayName="Seats",
            displayOption="FitToPage",
            height=720,
            width=1280,
        ),
    )


def parameter(name: str, value: str) -> str:
    return f'expression {name} = "{value}" meta [IsParameterQuery=true, Type="Text"]\n\n'


def model_properties(tables: list[Relation]) -> str:
    # Without implicit measures nobody adds up seats over days by dragging a column into a chart.
    text = (
        "model Model\n"
        "\tculture: en-US\n"
        "\tdefaultPowerBIDataSourceVersion: powerBI_V3\n"
        "\tdiscourageImplicitMeasures\n"
        "\tsourceQueryCulture: en-US\n\n"
        "annotation __PBI_TimeIntelligenceEnabled = 0\n\n"
    )
    return text + "".join(f"ref table {relation.name}\n" for relation in tables)


def relationships(tables: list[Relation]) -> str:
    text = ""
    for relation in tables:
        view = VIEWS[relation.name]
        if view.date:
            text += relationship(relation.name, view.date, DATES)
        if relation.has("customer_id") and relation.name != CUSTOMER[0]:
            text += relationship(relation.name, "customer_id", CUSTOMER)
    return text


def relationship(table_name: str, column: str, dimension: tuple[str, str]) -> str:
    identity = uuid.uuid5(NAMESPACE, f"{table_name}.{column}")
    return (
        f"relationship {identity}\n"
        f"\tfromColumn: {table_name}.{column}\n"
        f"\ttoColumn: {dimension[0]}.{dimension[1]}\n\n"
    )


def table(relation: Relation) -> str:
    text = description(relation.comment, "") + f"table {relation.name}\n"
    if relation.name == DATES[0]:
        text += "\tdataCategory: Time\n"
    text += "\n"
    for measure in MEASURES.get(relation.name, ()):
        text += description(measure.description, "\t")
        text += f"\tmeasure '{measure.name}' =\n"
        text += "".join(
            f"\t\t\t{line}\n" for line in measure.dax.replace("    ", "\t").strip().splitlines()
        )
        text += f"\t\tformatString: {measure.format}\n\n"
    for column in relation.portable_columns:
        text += described_column(relation, column)
    text += f"\tpartition {relation.name} = m\n\t\tmode: import\n\t\tsource =\n"
    return text + "".join(f"\t\t\t\t{line}\n" for line in query(relation))


def query(relation: Relation) -> list[str]:
    """The lines of the M expression that reads a view."""
    steps = {
        "Source": "PostgreSQL.Database(Server, Database)",
        "View": f'Source{{[Schema = SchemaName, Item = "{relation.name}"]}}[Data]',
    }
    left_out = [f'"{c.name}"' for c in relation.columns if c not in relation.portable_columns]
    if left_out:
        steps["Readable"] = f"Table.RemoveColumns(View, {{{', '.join(left_out)}}})"
    lines = ",\n".join(f"\t{name} = {step}" for name, step in steps.items()).splitlines()
    return ["let", *lines, "in", f"\t{list(steps)[-1]}"]


def described_column(relation: Relation, column: Column) -> str:
    text = description(column.comment, "\t") + f"\tcolumn {column.name}\n"
    text += f"\t\tdataType: {DATA_TYPES.get(column.type, 'string')}\n"
    if (relation.name, column.name) in (DATES, CUSTOMER):
        text += "\t\tisKey\n"
    elif column.name in (VIEWS[relation.name].date, CUSTOMER[1]):
        # Charts take the column of the dimension, which filters every table.
        text += "\t\tisHidden\n"
    if column.type == "date":
        text += "\t\tformatString: yyyy-mm-dd\n"
    elif column.name.endswith("_ratio") or column.name == "completeness":
        text += "\t\tformatString: 0.0%;-0.0%;0.0%\n"
    text += "\t\tsummarizeBy: none\n"
    return text + f"\t\tsourceColumn: {column.name}\n\n"


def description(text: str, indent: str) -> str:
    return wrapped(text, f"{indent}/// ") + "\n"
