"""Writes the documentation for BI tools from the comments in the database.

    DATABASE_URL=... python3 docs/bi/generate DIR

DIR gets `bi.md`, which is docs/bi.md with its generated parts renewed, and the folder `bi` with
everything that is generated whole. The ledger in DATABASE_URL needs the tables and no rows.
"""

import sys
from pathlib import Path

import catalog
import dbt
import pages
import powerbi
import superset

ROOT = Path(__file__).resolve().parents[3]


def main() -> None:
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    target = Path(sys.argv[1])
    relations = catalog.load()
    files = {
        Path("bi.md"): pages.guide(ROOT, relations),
        **{Path("bi/dictionary") / name: text for name, text in pages.dictionary(relations)},
        Path("bi/dbt/seatledger.yml"): dbt.sources(relations),
        **{Path("bi/powerbi") / name: text for name, text in powerbi.project(relations)},
        **{Path("bi/superset") / name: text for name, text in superset.bundle(relations)},
    }
    pages.check_tables(ROOT, catalog.every_relation())
    for name, text in files.items():
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")


main()
