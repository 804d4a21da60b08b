#!/usr/bin/env python3
"""The whole job, measured: seatledger beside other ways to do it. `make bench` builds what it needs and calls it.

It makes the answers of a pretended API, has nginx serve them, and lets each contender in turn fetch and store them in a durable private
Postgres: once into an empty ledger (first load), and once again with nothing changed (re-run). Every table is checked after each run.
Figures are of this machine, and a busy machine's are worse.
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
from pathlib import Path

from harness import contenders
from harness.data import ROWS, Cache
from harness.measure import Failed
from harness.progress import fail, note
from harness.servers import HERE, SETTINGS, Postgres, web_server
from harness.table import print_load

ROOT = HERE.parent
INSIDE = "SEATLEDGER_BENCH_INSIDE"


def numbers(text):
    return [int(part.replace("_", "")) for part in text.split(",")]


def arguments():
    names = [one.name for one in contenders.ALL]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=numbers, default=[1_000, 10_000, 50_000], help="sizes, such as 1000,10000 (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=5, help="runs of each, of which the median counts (default: %(default)s)")
    parser.add_argument("--only", type=lambda text: text.split(","), default=names, help=f"contenders, of {','.join(names)} (default: all)")
    parser.add_argument("--concurrency", type=int, default=32, help="calls in flight, for all (default: %(default)s)")
    parser.add_argument("--program", type=Path, help="the seatledger to measure (default: the release build of this clone)")
    parser.add_argument("--python", type=Path, help="a Python that has the peers' packages (default: one is made in target/)")
    parser.add_argument("--cache", type=Path, help="where data and packages are kept (default: target/bench)")
    settings = parser.parse_args()
    if unknown := set(settings.only) - set(names):
        parser.error(f"there is no contender {', '.join(sorted(unknown))}, only {', '.join(names)}")
    return settings


def target_folder():
    command = ["cargo", "metadata", "--format-version", "1", "--no-deps", "--offline"]
    return Path(json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout)["target_directory"])


def complete(settings):
    """Finds what was not given, and makes the peers' Python if need be."""
    target = target_folder()
    settings.program = (settings.program or target / "release/seatledger").resolve()
    if not settings.program.exists():
        fail(f"{settings.program} is not there. This builds and runs it: make bench")
    settings.cache = (settings.cache or target / "bench").resolve()
    settings.cache.mkdir(parents=True, exist_ok=True)
    settings.python = settings.python or peers_python(settings.cache)


def peers_python(cache):
    wanted = (HERE / "peers/requirements.txt").read_text()
    venv = cache / "venv"
    made = venv / "requirements.txt"
    if not made.exists() or made.read_text() != wanted:
        note("installing the peers' Python packages, once")
        subprocess.run([sys.executable, "-m", "venv", "--clear", venv], check=True)
        install = [venv / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*install, "-r", HERE / "peers/requirements.txt"], check=True, stdout=sys.stderr)
        made.write_text(wanted)
    return venv / "bin/python"


def measured(postgres, contender, job):
    """One run, as figures by name."""
    postgres.ask("checkpoint")
    log, cpu = postgres.log_position(), postgres.cpu()
    cost = contender.run(job)
    return {
        "wall": cost.wall,
        "cpu": cost.cpu,
        "postgres_cpu": postgres.cpu() - cpu,
        "rss": cost.rss,
        "wal": postgres.log_position() - log,
    }


def load(settings, postgres, base, cache, folder):
    """All contenders at all sizes. They take turns, so that a disturbance meets them all."""
    results = []
    for customers in settings.customers:
        ids, copy = cache.customers(customers)
        field = [one(postgres, settings) for one in contenders.ALL if one.name in settings.only]
        job = contenders.Job(base, ids, copy, "bench", settings.concurrency, folder)
        expected = contenders.expected(postgres, job)
        for number in range(settings.runs):
            for contender in field:
                postgres.make(job.database)
                contender.prepare(job)
                for phase in ("first load", "re-run"):
                    figures = measured(postgres, contender, job)
                    if (found := contender.found(job)) != expected:
                        raise Failed(f"{contender.title}: the table holds {found} after the {phase}, and should hold {expected}")
                    results.append({"customers": customers, "contender": contender.name, "phase": phase, "run": number + 1} | figures)
                    note(f"{customers} customers, run {number + 1} of {settings.runs}, {contender.title}, {phase}: {figures['wall']:.2f} s")
                    # What autovacuum would have done until the next day.
                    postgres.ask("vacuum (analyze)", job.database)
                postgres.drop(job.database)
    return results


def main():
    settings = arguments()
    if INSIDE not in os.environ:
        options = [part for key, value in SETTINGS.items() for part in ("-c", f"{key}={value}")]
        command = [ROOT / "scripts/postgres", "run", "--name", "bench", *options, "--", sys.executable, *sys.argv]
        os.execve(command[0], [str(part) for part in command], os.environ | {INSIDE: "yes"})
    # The servers are ended on the way out, whatever the reason.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    complete(settings)
    cache = Cache(settings.cache)
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="seatledger-bench."))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        postgres = Postgres(folder)
        base, _ = stack.enter_context(web_server(folder, cache.usage, cache.pages))
        print_load(load(settings, postgres, base, cache, folder), settings)


if __name__ == "__main__":
    try:
        main()
    except Failed as error:
        fail(error)
    except KeyboardInterrupt:
        sys.exit(130)
