"""The tables that a benchmark prints."""

from statistics import median

from .measure import MEBIBYTE


def medians(results):
    """The median of each figure, by size, phase and contender, in the order in which they came."""
    groups = {}
    for result in results:
        groups.setdefault((result["customers"], result["phase"], result["contender"]), []).append(result)
    figures = ("wall", "cpu", "postgres_cpu", "rss", "wal")
    return {key: {figure: median(one[figure] for one in group) for figure in figures} for key, group in groups.items()}


def print_load(results, settings):
    table = medians(results)
    print("customers  phase       contender            wall s  customers/s    CPU s  Postgres CPU s   RSS MiB   WAL MiB")
    for (customers, phase, contender), one in table.items():
        print(
            f"{customers:9}  {phase:10}  {contender:18} {one['wall']:8.2f} {customers / one['wall']:12.0f} {one['cpu']:8.2f}"
            f" {one['postgres_cpu']:15.2f} {one['rss'] / MEBIBYTE:9.1f} {one['wal'] / MEBIBYTE:9.1f}"
        )
