"""Who is measured, and how each is called. All get the same answers, the same table and key, and as many calls in flight."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from .measure import Cost, run
from .servers import HERE

PEERS = HERE / "peers"

# What a table must hold: its key and its figures. The sum does not depend on the order.
CHECK = """
select count(*), sum(hashtextextended(concat_ws('|',
    {customer}::uuid, {product}, {workload}, extract(epoch from {date}::timestamptz)::bigint, {active}, {qualified}, {percent}), 0)::numeric)
from {table}
"""
COLUMNS = {
    "table": "license_usage",
    "customer": "customer_id",
    "product": "product_name",
    "workload": "workload_name",
    "date": "processed_date_time",
    "active": "licenses_active",
    "qualified": "licenses_qualified",
    "percent": "usage_percent",
}


@dataclass
class Job:
    """What there is to do, and where."""

    base: str
    ids: Path
    copy: Path
    database: str
    concurrency: int
    folder: Path


class Contender:
    """One way to do the job. `name` is what `--only` takes, and `title` what the table shows."""

    def __init__(self, postgres, settings):
        self.postgres = postgres
        self.settings = settings
        self.env = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "TZ": "UTC"}

    def prepare(self, job):
        """Makes the empty tables. Not measured."""
        self.postgres.ask((PEERS / "table.sql").read_text(), job.database)

    def run(self, job):
        """Does the job, and gives what it cost."""
        raise NotImplementedError

    def spend(self, job, *command, stdin=None):
        return run([str(part) for part in command], self.env, job.folder / f"{self.name}.log", stdin)

    def found(self, job):
        """What the table holds, to be compared with what it should."""
        return self.postgres.ask(CHECK.format(**COLUMNS), job.database)[0]


class Seatledger(Contender):
    name, title = "seatledger", "seatledger"

    def program(self, job, *arguments):
        # The settings come from the environment, so that a user's own file plays no part.
        config = job.folder / "seatledger.toml"
        config.write_text("# All settings come from the environment.\n")
        self.env |= {
            "SEATLEDGER__PARTNER_CENTER__BASE_URL": job.base,
            "SEATLEDGER__PARTNER_CENTER__MAX_CONCURRENCY": str(job.concurrency),
            "SEATLEDGER__AUTH__METHOD": "access_token",
            "SEATLEDGER__AUTH__ACCESS_TOKEN": "token",
            "SEATLEDGER__CUSTOMERS__FILE": str(job.ids),
            "SEATLEDGER__DATABASE__URL": self.postgres.url_of(job.database),
        }
        return self.spend(job, self.settings.program, "--config", config, *arguments)

    def prepare(self, job):
        self.program(job, "migrate")

    def run(self, job):
        return self.program(job, "--backfill")


class Aiohttp(Contender):
    name, title = "aiohttp", "aiohttp + asyncpg"

    def run(self, job):
        script = PEERS / "aiohttp_asyncpg.py"
        return self.spend(job, self.settings.python, script, job.base, job.ids, self.postgres.socket_url_of(job.database), job.concurrency)


ALL = [Seatledger, Aiohttp]


def expected(postgres, job):
    """What every table must hold: what the same rows give when they are put in by COPY alone."""
    postgres.make(job.database)
    postgres.ask(f"""{(PEERS / 'table.sql').read_text()}{(PEERS / 'staging.sql').read_text()}
        \\copy staging from '{job.copy}'
        {(PEERS / 'merge.sql').read_text()}""", job.database)
    rows = postgres.ask(CHECK.format(**COLUMNS), job.database)[0]
    postgres.drop(job.database)
    return rows
