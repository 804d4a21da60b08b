"""The views that the role may read, for the tests in Python."""

import csv
import os
from collections import defaultdict


def readable() -> dict[str, dict[str, str]]:
    """The columns of each view with their types in Postgres."""
    views: dict[str, dict[str, str]] = defaultdict(dict)
    with open(os.environ["BI_READABLE"], newline="", encoding="utf-8") as file:
        for view, column, kind in csv.reader(file):
            views[view][column] = kind
    return views


def report(tool: str, faults: list[str], views: int) -> None:
    """Prints the faults and ends the program if there are any."""
    for fault in faults:
        print(f"{tool}: {fault}")
    if faults:
        raise SystemExit(1)
    print(f"{tool}: {views} views read, every column of the expected type")
