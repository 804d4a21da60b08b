"""Reads the Parquet files of `seatledger export` with DuckDB and pandas, and compares every value
with the view that it was exported from."""

import os
from pathlib import Path

import duckdb
import pandas
import pyarrow.parquet
from duckdb_extensions import import_extension
from readable import readable, report

URL = os.environ["BI_URL"]
FOLDER = Path(os.environ["BI_WORK"]) / "parquet"

# By type in Postgres. What has no type of its own in a file is text.
DUCKDB = {
    "bigint": "BIGINT",
    "integer": "INTEGER",
    "smallint": "INTEGER",
    "double precision": "DOUBLE",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "timestamp with time zone": "TIMESTAMP WITH TIME ZONE",
}


def check_duckdb(views: dict) -> list[str]:
    import_extension("postgres_scanner")
    connection = duckdb.connect()
    connection.execute("load postgres_scanner")
    connection.execute(f"attach '{URL}' as ledger (type postgres, read_only)")
    faults = []
    for view, columns in views.items():
        file = f"read_parquet('{FOLDER / view}.parquet')"
        described = connection.execute(f"describe select * from {file}").fetchall()
        types = {name: kind for name, kind, *_ in described}
        if list(types) != list(columns):
            faults.append(f"{view} has the columns {list(columns)}, and the file {list(types)}")
            continue
        for column, kind in columns.items():
            wanted = DUCKDB.get(kind, "VARCHAR")
            if types[column] != wanted:
                faults.append(f"{view}.{column} is {types[column]} and not {wanted}")
        # DuckDB writes intervals otherwise than Postgres.
        compared = [column for column, kind in columns.items() if kind != "interval"]
        values = ", ".join(f"{column}::varchar" for column in compared)
        of_file, of_view = f"select {values} from {file}", f"select {values} from ledger.{view}"
        for one, other in ((of_file, of_view), (of_view, of_file)):
            differing = connection.execute(f"select count(*) from ({one} except all {other})")
            if differing.fetchone() != (0,):
                faults.append(f"{view}: a row of the file or the view has no equal")
    return faults


def check_pandas(views: dict) -> list[str]:
    faults = []
    for view, columns in views.items():
        path = FOLDER / f"{view}.parquet"
        frame = pandas.read_parquet(path)
        for column, kind in columns.items():
            if kind == "timestamp with time zone" and str(frame[column].dt.tz) != "UTC":
                faults.append(f"{view}.{column} is of the time zone {frame[column].dt.tz}")
        comments = pyarrow.parquet.read_metadata(path).metadata
        bare = [column for column in columns if not comments.get(f"comment.{column}".encode())]
        if bare:
            faults.append(f"{view}: no comment on {bare}")
    return faults


def main() -> None:
    views = readable()
    report("Parquet with DuckDB", check_duckdb(views), len(views))
    report("Parquet with pandas", check_pandas(views), len(views))


main()
