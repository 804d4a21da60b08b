"""Reads every view with Polars, DuckDB and pandas, and checks the type of every column."""

import os

import duckdb
import pandas
import polars
import sqlalchemy
from duckdb_extensions import import_extension
from readable import readable, report

URL = os.environ["BI_URL"]

# By engine: connectorx gives an id as text, ADBC as its 16 bytes.
POLARS = {
    "uuid": {"String", "Binary"},
    "character varying": {"String"},
    "text": {"String"},
    "bigint": {"Int64"},
    "integer": {"Int32", "Int64"},
    "double precision": {"Float64"},
    "boolean": {"Boolean"},
    "date": {"Date"},
    "timestamp with time zone": {"Datetime"},
}
DUCKDB = {
    "uuid": {"UUID"},
    "character varying": {"VARCHAR"},
    "text": {"VARCHAR"},
    "bigint": {"BIGINT"},
    "integer": {"INTEGER"},
    "double precision": {"DOUBLE"},
    "boolean": {"BOOLEAN"},
    "date": {"DATE"},
    "timestamp with time zone": {"TIMESTAMP WITH TIME ZONE"},
    "interval": {"INTERVAL"},
}


def check_polars(views: dict, rows: dict, engine: str) -> list[str]:
    faults = []
    for view, columns in views.items():
        # Polars has no interval; `age_days` is beside the only column of that type.
        readable_ones = {c: kind for c, kind in columns.items() if kind != "interval"}
        query = f"select {', '.join(readable_ones)} from {view}"
        frame = polars.read_database_uri(query, URL, engine=engine)
        if frame.height != rows[view]:
            faults.append(f"{view} has {rows[view]} rows, and {frame.height} came")
        for column, kind in readable_ones.items():
            found = str(frame.schema[column].base_type())
            if found not in POLARS.get(kind, ()):
                faults.append(f"{view}.{column} is {kind} in Postgres and {found} here")
    return faults


def check_duckdb(views: dict, rows: dict) -> list[str]:
    import_extension("postgres_scanner")
    connection = duckdb.connect()
    connection.execute("load postgres_scanner")
    connection.execute(f"attach '{URL}' as ledger (type postgres, read_only)")
    faults = []
    for view, columns in views.items():
        result = connection.execute(f"select * from ledger.public.{view}")
        count = len(result.fetchall())
        if count != rows[view]:
            faults.append(f"{view} has {rows[view]} rows, and {count} came")
        described = connection.execute(f"describe ledger.public.{view}").fetchall()
        types = {name: kind for name, kind, *_ in described}
        for column, kind in columns.items():
            if types[column] not in DUCKDB.get(kind, ()):
                faults.append(f"{view}.{column} is {kind} in Postgres and {types[column]} here")
    return faults


def check_pandas(views: dict, rows: dict) -> list[str]:
    engine = sqlalchemy.create_engine(URL.replace("postgres://", "postgresql+psycopg2://"))
    faults = []
    with engine.connect() as connection:
        for view, columns in views.items():
            frame = pandas.read_sql(sqlalchemy.text(f"select * from {view}"), connection)
            if len(frame) != rows[view]:
                faults.append(f"{view} has {rows[view]} rows, and {len(frame)} came")
            for column, kind in columns.items():
                # A count that is null somewhere comes as a float, as always in pandas. What must
                # not come is a number in a column of objects.
                is_number = kind in ("bigint", "integer", "double precision")
                if is_number and frame[column].notna().any() and frame[column].dtype == object:
                    faults.append(f"{view}.{column} is {kind} in Postgres and object here")
    return faults


def main() -> None:
    views = readable()
    engine = sqlalchemy.create_engine(URL.replace("postgres://", "postgresql+psycopg2://"))
    with engine.connect() as connection:
        rows = {
            view: connection.execute(sqlalchemy.text(f"select count(*) from {view}")).scalar()
            for view in views
        }
    for engine_name in ("connectorx", "adbc"):
        faults = check_polars(views, rows, engine_name)
        report(f"Polars with {engine_name}", faults, len(views))
    report("DuckDB", check_duckdb(views, rows), len(views))
    report("pandas", check_pandas(views, rows), len(views))


main()
