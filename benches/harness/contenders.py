"""The programs that are measured, and how each is called. All get the same answers, the same table
and key, and the same number of calls in flight."""

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from .measure import run
from .servers import HERE

PEERS = HERE / "peers"

# The number of rows, and a checksum over keys and figures that does not depend on their order.
CHECK = """
select count(*), sum(hashtextextended(concat_ws('|',
    {customer}::uuid, {product}, {workload}, extract(epoch from {date}::timestamptz)::bigint,
    {active}, {qualified}, {percent}), 0)::numeric)
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

    table = "license_usage"

    def __init__(self, postgres, settings):
        self.postgres = postgres
        self.settings = settings
        self.env = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "TZ": "UTC"}

    def prepare(self, job):
        """Makes the empty tables. Not measured."""
        self.postgres.ask((PEERS / "table.sql").read_text(), job.database)

    def run(self, job):
        """Does the job, and returns its cost."""
        raise NotImplementedError

    def spend(self, job, *command, stdin=None):
        return run(
            [str(part) for part in command], self.env, job.folder / f"{self.name}.log", stdin
        )

    def found(self, job, **columns):
        """The checksum of the table, to be compared with `expected`. `columns` replaces names of
        columns by others or by expressions."""
        return self.postgres.ask(
            CHECK.format(**COLUMNS | {"table": self.table} | columns), job.database
        )[0]

    def versions_since(self, job, transaction):
        """The number of rows that this transaction or a later one wrote."""
        return int(
            self.postgres.ask(
                f"select count(*) from {self.table} where xmin::text::bigint >= {transaction}",
                job.database,
            )[0][0]
        )


class Seatledger(Contender):
    name, title = "seatledger", "seatledger"

    def settle(self, job, **more):
        """Writes the configuration: these settings and `more`. All others have their defaults."""
        settings = {
            "partner_center": {"base_url": job.base, "max_concurrency": job.concurrency},
            "auth": {"method": "access_token", "access_token": "token"},
            "customers": {"file": str(job.ids)},
            "database": {"url": self.postgres.url_of(job.database)},
            # A fault of the benchmark itself should show soon.
            "retry": {"max_elapsed_time": "10s"},
        }
        for section, keys in more.items():
            settings[section] = settings.get(section, {}) | keys
        self.config = job.folder / "seatledger.toml"
        with self.config.open("w") as file:
            for section, keys in settings.items():
                # TOML writes these values as JSON does.
                file.writelines(
                    [
                        f"[{section}]\n",
                        *(f"{key} = {json.dumps(value)}\n" for key, value in keys.items()),
                    ]
                )

    def prepare(self, job):
        self.settle(job)
        self.call(job, "migrate")

    def call(self, job, *arguments):
        return self.spend(job, self.settings.program, "--config", self.config, *arguments)

    def run(self, job):
        return self.call(job, "--backfill")


class Aiohttp(Contender):
    name, title = "aiohttp", "aiohttp + asyncpg"

    def run(self, job):
        script = PEERS / "aiohttp_asyncpg.py"
        return self.spend(
            job,
            self.settings.python,
            script,
            job.base,
            job.ids,
            self.postgres.socket_url_of(job.database),
            job.concurrency,
        )


class Dlt(Contender):
    """Makes its own tables, and remembers in a folder what it has made."""

    name, title = "dlt", "dlt"
    table = "ledger.license_usage"

    def prepare(self, job):
        self.memory = job.folder / "dlt"
        shutil.rmtree(self.memory, ignore_errors=True)
        self.env["HOME"] = str(job.folder)

    def run(self, job):
        script = PEERS / "dlt_pipeline.py"
        database = self.postgres.url_of(job.database)
        return self.spend(
            job,
            self.settings.python,
            script,
            job.base,
            job.ids,
            database,
            job.concurrency,
            self.memory,
        )


class Pipe(Contender):
    name, title = "curl", "curl, jq, psql"

    def prepare(self, job):
        super().prepare(job)
        self.urls = job.folder / "urls"
        write_urls(job, self.urls, "")

    def run(self, job):
        database = self.postgres.socket_url_of(job.database)
        return self.spend(job, PEERS / "curl_jq_psql", self.urls, database, job.concurrency)


class Floor(Contender):
    """The lower bound for every contender: fetches the same bytes and discards them, then stores
    the same rows from a file."""

    name, title = "floor", "floor"

    def prepare(self, job):
        super().prepare(job)
        self.urls = job.folder / "urls-floor"
        write_urls(job, self.urls, 'output = "/dev/null"\n')

    def run(self, job):
        fetch = [
            "curl",
            "-sS",
            "--fail-early",
            "--fail",
            "--parallel",
            "--parallel-immediate",
            "--parallel-max",
            job.concurrency,
        ]
        fetch += ["--noproxy", "*", "-H", "Authorization: Bearer token", "--config", self.urls]
        store = [
            self.postgres.psql,
            "-X",
            self.postgres.socket_url_of(job.database),
            "-f",
            PEERS / "copy_and_merge.sql",
        ]
        return self.spend(job, *fetch) + self.spend(job, *store, stdin=job.copy)


ALL = [Seatledger, Aiohttp, Dlt, Pipe, Floor]


def write_urls(job, file, more):
    """A configuration of curl that asks for every customer."""
    with job.ids.open() as ids, file.open("w") as urls:
        for customer in ids:
            path = f"/v1/customers/{customer.strip()}/analytics/licenses/usage"
            urls.write(f'url = "{job.base}{path}"\n{more}')


def expected(postgres, job, **columns):
    """The checksum that every table must have: that of the same rows stored by COPY."""
    postgres.make(job.database)
    postgres.ask(
        f"""{(PEERS / 'table.sql').read_text()}{(PEERS / 'staging.sql').read_text()}
        \\copy staging from '{job.copy}'
        {(PEERS / 'merge.sql').read_text()}""",
        job.database,
    )
    rows = postgres.ask(CHECK.format(**COLUMNS | columns), job.database)[0]
    postgres.drop(job.database)
    return rows
