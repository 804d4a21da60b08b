#!/usr/bin/env python3
"""Whether history slows seatledger down: the cost of storing the next day and of queries with more
and more days stored. `make bench-history` and `make bench-queries` build what they need and
call it.

The history is made in SQL: 5,000 customers with 20 rows for each day, and everything else that runs
would have stored. Further days are then fetched and stored by the program itself. The first of them
is not counted: what was made in SQL lacks what only the program knows, so the program once looks at
each customer more closely.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from datetime import date, timedelta
from pathlib import Path
from statistics import median

from bench import INSIDE, ROOT, complete, machine, numbers
from harness import contenders
from harness.data import PROCESSED, ROWS, Cache
from harness.load import measured
from harness.measure import MEGABYTE, Failed
from harness.progress import fail, note
from harness.servers import HERE, SETTINGS, Postgres, web_server
from harness.table import show

LAST_DAY = date(2026, 3, 5)
# The tables that a run writes to. Vacuumed between runs, as autovacuum would do within a day.
TOUCHED = (
    "customer, license_usage_collection, service_date, stale_day, license_usage_month, "
    "license_usage_set, license_usage_day_total, sync_customer, sync_run, {partition}"
)

# Each question with the milliseconds that it may take of up to two million rows, and of more; None
# is not measured against anything.
QUERIES = {
    "license_usage_latest, one customer": (
        "select * from license_usage_latest where customer_id = '{customer}'",
        (10, 10),
    ),
    "license_usage_latest, all series": ("select * from license_usage_latest", (300, 300)),
    "one customer's history of two years": (
        "select * from license_usage where customer_id = '{customer}'\n"
        "and processed_date_time >= '{newest}'::timestamptz - interval '2 years'",
        (30, 30),
    ),
    "the partner's total by product and month, two years": (
        "select month, product_name, sum(licenses_active), sum(licenses_qualified)\n"
        "from license_usage_total\n"
        "where month > '{newest}'::date - interval '2 years' group by 1, 2 order by 1, 2",
        (500, 2_000),
    ),
    "customer_freshness": ("select * from customer_freshness", (300, 300)),
    "coverage of the last 30 days": (
        "select * from coverage where processed_date > '{newest}'::date - 30",
        (300, 300),
    ),
    "today's usage": ("select * from license_usage_current", (500, 3_000)),
    "today's seats": ("select * from license_product", (500, 3_000)),
    "unused seats, largest first": ("select * from license_waste", (500, 3_000)),
    "growth of every customer": ("select * from license_growth", (500, 3_000)),
    "the partner's totals of every day": ("select * from license_usage_daily_total", (500, 3_000)),
    "the newest month": ("select * from license_usage_monthly where is_newest", (500, 3_000)),
    "who has which product since when": ("select * from license_holding", (500, 3_000)),
    "suspected renamings": ("select * from product_rename_suspect", (500, 3_000)),
    "customers won and lost": ("select * from customer_lifecycle", (500, 3_000)),
    "data_completeness": ("select * from data_completeness", (500, 3_000)),
    "adoption": ("select * from license_adoption", (1_000, None)),
    "unused seats of the newest month": (
        "select * from license_waste_monthly where is_newest",
        (1_000, None),
    ),
    "seats at the end of each of twelve months": (
        "select * from license_product_monthly\n"
        "where month > '{newest}'::date - interval '12 months'",
        (None, None),
    ),
    "every customer on one day": (
        "select * from license_usage_daily where date = '{newest}'::date - 10",
        (1_000, None),
    ),
    "one customer by day": (
        "select * from license_usage_daily where customer_id = '{customer}'",
        (1_000, None),
    ),
}


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--days",
        type=numbers,
        default=[1, 100, 1_000],
        help="days of history (default: %(default)s)",
    )
    parser.add_argument(
        "--customers",
        type=int,
        default=5_000,
        help="customers, each with 20 rows a day (default: %(default)s)",
    )
    parser.add_argument(
        "--runs",
        type=int,
        default=5,
        help="days that are fetched and counted; runs of each query (default: %(default)s)",
    )
    parser.add_argument(
        "--queries", action="store_true", help="ask the questions too, of the longest history"
    )
    parser.add_argument(
        "--plans", type=Path, help="a file to add the queries' plans to, in Markdown"
    )
    parser.add_argument(
        "--concurrency", type=int, default=32, help="calls in flight (default: %(default)s)"
    )
    parser.add_argument(
        "--program",
        type=Path,
        help="the seatledger to measure (default: the release build of this clone)",
    )
    parser.add_argument("--cache", type=Path, help="where data is kept (default: target/bench)")
    settings = parser.parse_args()
    settings.parts, settings.only, settings.python = [], [], None
    return settings


def fill(postgres, job, days):
    """Makes the history of this number of days."""
    note(f"making {days} days of history")
    postgres.ask(f"alter database {job.database} set timezone = 'UTC'")
    postgres.ask(
        f"""create table peer_row (
            customer_id uuid, product_name varchar(512), workload_name varchar(512),
            processed_date_time timestamptz,
            customer_name varchar(512), service_name varchar(512), channel varchar(512),
            licenses_active bigint, licenses_qualified bigint, usage_percent double precision
        );
        \\copy peer_row from '{job.copy}'""",
        job.database,
    )
    made = f"\\set days {days}\n\\set last_day '{LAST_DAY}'\n" + (HERE / "history.sql").read_text()
    postgres.ask(made, job.database)
    # In two halves at the same time, as the machine has at least two processors.
    middle = LAST_DAY - timedelta(days=days // 2)
    calls = [
        ("2000-01-01", middle.replace(day=1) - timedelta(days=1)),
        (middle.replace(day=1), LAST_DAY),
    ]
    command = [postgres.psql, "-qXAt", "-v", "ON_ERROR_STOP=1", postgres.url_of(job.database), "-c"]
    halves = [
        subprocess.Popen(
            [*command, f"call fill_ledger('{first}', '{last}')"], stdout=subprocess.DEVNULL
        )
        for first, last in calls
    ]
    if any([half.wait() for half in halves]):
        raise Failed("the history could not be made")
    postgres.ask("drop table history_set, history_day, peer_row; vacuum (analyze)", job.database)


def dated_answers(cache, customers, day, folder):
    """The answers of another day, in a folder of their own."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for customer in customers:
        text = (cache.usage / f"{customer}.json").read_text()
        (folder / f"{customer}.json").write_text(text.replace(PROCESSED[:10], day.isoformat()))


def next_days(settings, postgres, web, contender, job, answers, cache):
    """Fetches days one after the other, and returns the cost of each."""
    customers = job.ids.read_text().split()
    results = []
    for number in range(settings.runs + 1):
        day = LAST_DAY + timedelta(days=number + 1)
        dated_answers(cache, customers, day, answers)
        figures = measured(postgres, web, contender, job)
        stored = int(
            postgres.ask(
                f"select count(*) from license_usage where processed_date_time = '{day}'",
                job.database,
            )[0][0]
        )
        if stored != len(customers) * ROWS or figures["versions"] != stored:
            raise Failed(f"{stored} rows of {day} are stored, {figures['versions']} were written")
        note(f"the day {day}: {figures['wall']:.2f} s{'' if number else ', not counted'}")
        if number:
            results.append(figures)
        partition = postgres.ask(
            "select tableoid::regclass from license_usage "
            f"where processed_date_time = '{day}' limit 1",
            job.database,
        )
        postgres.ask(f"vacuum (analyze) {TOUCHED.format(partition=partition[0][0])}", job.database)
    return results


def ask(settings, postgres, job):
    """The median time of each query, planning included, and its last plan. The first two runs warm
    up."""
    newest = LAST_DAY + timedelta(days=settings.runs + 1)
    customer = job.ids.read_text().split()[0]
    answers = {}
    is_large = max(settings.days) * settings.customers * ROWS > 2_000_000
    for title, (query, limits) in QUERIES.items():
        limit = limits[is_large]
        query = query.format(customer=customer, newest=newest)
        explain = f"explain (analyze, buffers) {query};\n"
        lines = [
            line
            for row in postgres.ask(explain * (settings.runs + 2), job.database)
            for line in row
        ]
        ends = [
            0,
            *(number for number, line in enumerate(lines, 1) if line.startswith("Execution Time")),
        ]
        plans = [lines[first:after] for first, after in zip(ends, ends[1:])]
        times = [
            sum(
                float(line.split()[2])
                for line in plan
                if line.startswith(("Planning Time", "Execution Time"))
            )
            for plan in plans[2:]
        ]
        answers[title] = (query, limit, median(times), plans[-1])
    return answers


def show_days(figures, customers):
    head = [
        "days stored",
        "rows stored",
        "seconds",
        "CPU s",
        "Postgres CPU s",
        "WAL MB",
        "time against 1 day",
        "WAL against 1 day",
    ]
    least = figures[min(figures)]
    lines = []
    for days, one in figures.items():
        lines.append(
            [
                str(days),
                f"{days * customers * ROWS:,}",
                f"{one['wall']:.2f}",
                f"{one['cpu']:.2f}",
                f"{one['postgres_cpu']:.2f}",
                f"{one['wal'] / MEGABYTE:.1f}",
                f"{one['wall'] / least['wall']:.2f} ×",
                f"{one['wal'] / least['wal']:.2f} ×",
            ]
        )
    show("The next day", head, lines)


def show_queries(answers, rows, plans):
    lines = [
        [
            title,
            f"{time:.1f}",
            "-" if limit is None else f"{limit}",
            "yes" if limit is None or time < limit else "NO",
        ]
        for title, (_, limit, time, _) in answers.items()
    ]
    show(f"Questions to {rows:,} rows, warm", ["question", "ms", "wanted below", "met"], lines)
    if plans:
        parts = [
            f"### {title}\n\n```sql\n{query}\n```\n\n```text\n" + "\n".join(plan) + "\n```\n"
            for title, (query, _, _, plan) in answers.items()
        ]
        with plans.open("a") as file:
            file.write("\n".join([f"## {rows:,} rows\n", *parts]))


def main():
    settings = arguments()
    if INSIDE not in os.environ:
        options = [part for key, value in SETTINGS.items() for part in ("-c", f"{key}={value}")]
        command = [
            ROOT / "scripts/postgres",
            "run",
            "--name",
            "bench",
            *options,
            "--",
            sys.executable,
            *sys.argv,
        ]
        os.execve(command[0], [str(part) for part in command], os.environ | {INSIDE: "yes"})
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    complete(settings)
    cache = Cache(settings.cache)
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="seatledger-bench."))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        postgres = Postgres()
        print(json.dumps(machine(postgres)), flush=True)
        ids, copy = cache.customers(settings.customers)
        answers = folder / "answers"
        base, web = stack.enter_context(web_server(folder, answers, cache.pages))
        figures, contender = {}, contenders.Seatledger(postgres, settings)
        for days in settings.days:
            job = contenders.Job(base, ids, copy, f"history_{days}", settings.concurrency, folder)
            postgres.make(job.database)
            contender.prepare(job)
            fill(postgres, job, days)
            results = next_days(settings, postgres, web, contender, job, answers, cache)
            figures[days] = {name: median(one[name] for one in results) for name in results[0]}
            show_days(figures, settings.customers)
            if settings.queries and days == max(settings.days):
                rows = days * settings.customers * ROWS
                show_queries(ask(settings, postgres, job), rows, settings.plans)
            postgres.drop(job.database)


if __name__ == "__main__":
    try:
        main()
    except Failed as error:
        fail(error)
    except KeyboardInterrupt:
        sys.exit(130)
