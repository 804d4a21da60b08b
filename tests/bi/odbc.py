"""Reads every view through psqlODBC, and checks the SQL type of every column."""

import os
import sys

import pyodbc
from readable import readable, report

# The options that docs/bi.md tells people to set.
OPTIONS = "MaxVarcharSize=2048;BoolsAsChar=0;UseDeclareFetch=1"

EXPECTED = {
    "uuid": {"SQL_GUID"},
    "character varying": {"SQL_VARCHAR", "SQL_WVARCHAR"},
    # A memo field: texts of any length exist only where they are meant for a person.
    "text": {"SQL_LONGVARCHAR", "SQL_WLONGVARCHAR"},
    "bigint": {"SQL_BIGINT"},
    "integer": {"SQL_INTEGER"},
    "double precision": {"SQL_DOUBLE", "SQL_FLOAT"},
    "boolean": {"SQL_BIT"},
    "date": {"SQL_TYPE_DATE"},
    "timestamp with time zone": {"SQL_TYPE_TIMESTAMP"},
    # ODBC has no such type. `age_days` is beside the only column of it.
    "interval": {"SQL_WVARCHAR", "SQL_VARCHAR"},
}
TYPES = {getattr(pyodbc, name): name for names in EXPECTED.values() for name in names}


def main() -> None:
    connection = pyodbc.connect(
        f"DRIVER={sys.argv[1]};SERVER={os.environ['BI_SOCKET']};PORT=5432;"
        f"DATABASE={os.environ['BI_DATABASE']};UID=bi_reader;{OPTIONS}"
    )
    cursor = connection.cursor()
    faults = []
    views = readable()
    for view, columns in views.items():
        types = {c.column_name: c.data_type for c in cursor.columns(table=view, schema="public")}
        for column, kind in columns.items():
            found = TYPES.get(types[column], types[column])
            if found not in EXPECTED.get(kind, ()):
                faults.append(f"{view}.{column} is {kind} in Postgres and {found} in ODBC")
        wanted = cursor.execute(f"select count(*) from {view}").fetchval()
        if len(cursor.execute(f"select * from {view}").fetchall()) != wanted:
            faults.append(f"{view} has {wanted} rows, and not all of them came")
    report("psqlODBC", faults, len(views))


main()
