#!/usr/bin/env python3
"""The whole job, measured: seatledger beside other ways to do it. `make bench` builds what it
needs and calls it.

It makes the answers of a pretended API, has nginx serve them, and lets each contender in turn
fetch and store them in a durable private Postgres: once into an empty ledger (first load), and
once again with nothing changed (re-run). Every table is checked after each run. Figures are of
this machine, and a busy machine's are worse.
"""

import argparse
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from harness import contenders
from harness.data import ROWS, Cache
from harness.load import load
from harness.measure import Failed
from harness.progress import fail, note
from harness.servers import HERE, SETTINGS, Postgres, web_server
from harness.single import (
    show_start,
    show_streaming,
    start_and_stop,
    streaming,
    targets_of_start,
    targets_of_streaming,
)
from harness.table import medians, show_load, show_targets, targets

ROOT = HERE.parent
PARTS = ["load", "streaming", "start"]
INSIDE = "SEATLEDGER_BENCH_INSIDE"


def numbers(text):
    return [int(part.replace("_", "")) for part in text.split(",")]


def arguments():
    names = [one.name for one in contenders.ALL]
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--customers",
        type=numbers,
        default=[1_000, 10_000, 50_000],
        help="sizes, such as 1000,10000 (default: %(default)s)",
    )
    parser.add_argument(
        "--runs",
        type=int,
        default=5,
        help="runs of each, of which the median counts (default: %(default)s)",
    )
    parser.add_argument(
        "--only",
        type=lambda text: text.split(","),
        default=names,
        help=f"contenders, of {','.join(names)} (default: all)",
    )
    parser.add_argument(
        "--concurrency",
        type=int,
        default=32,
        help="calls in flight, for all (default: %(default)s)",
    )
    parser.add_argument(
        "--dlt-max",
        type=int,
        default=10_000,
        help="the largest size at which dlt takes part (default: %(default)s)",
    )
    parser.add_argument(
        "--parts",
        type=lambda text: text.split(","),
        default=PARTS,
        help=f"of {','.join(PARTS)} (default: all)",
    )
    parser.add_argument(
        "--streaming-rows",
        type=int,
        default=1_000_000,
        help="rows of the partner-wide collection (default: %(default)s)",
    )
    parser.add_argument(
        "--streaming-runs",
        type=int,
        default=3,
        help="how often it is fetched (default: %(default)s)",
    )
    parser.add_argument("--json", type=Path, help="a file for all figures of all runs")
    parser.add_argument(
        "--program",
        type=Path,
        help="the seatledger to measure (default: the release build of this clone)",
    )
    parser.add_argument(
        "--python",
        type=Path,
        help="a Python that has the peers' packages (default: one is made in target/)",
    )
    parser.add_argument(
        "--cache", type=Path, help="where data and packages are kept (default: target/bench)"
    )
    settings = parser.parse_args()
    for what, given, known in ("contender", settings.only, names), ("part", settings.parts, PARTS):
        if unknown := set(given) - set(known):
            parser.error(
                f"there is no {what} {', '.join(sorted(unknown))}, only {', '.join(known)}"
            )
    return settings


def target_folder():
    command = ["cargo", "metadata", "--format-version", "1", "--no-deps", "--offline"]
    return Path(
        json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout)[
            "target_directory"
        ]
    )


def complete(settings):
    """Fills in settings that were not given, and makes the peers' Python environment if needed."""
    settings.program = (settings.program or target_folder() / "release/seatledger").resolve()
    if not settings.program.exists():
        fail(f"{settings.program} is not there. This builds and runs it: make bench")
    settings.cache = (settings.cache or target_folder() / "bench").resolve()
    settings.cache.mkdir(parents=True, exist_ok=True)
    if (
        settings.python is None
        and "load" in settings.parts
        and {"aiohttp", "dlt"} & set(settings.only)
    ):
        settings.python = peers_python(settings.cache)


def peers_python(cache):
    wanted = (HERE / "peers/requirements.txt").read_text()
    venv = cache / "venv"
    made = venv / "requirements.txt"
    if not made.exists() or made.read_text() != wanted:
        note("installing the peers' Python packages, once")
        subprocess.run([sys.executable, "-m", "venv", "--clear", venv], check=True)
        install = [
            venv / "bin/python",
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ]
        subprocess.run(
            [*install, "-r", HERE / "peers/requirements.txt"], check=True, stdout=sys.stderr
        )
        made.write_text(wanted)
    return venv / "bin/python"


def machine(postgres):
    """The machine and the versions that the figures belong to."""
    cpus = Path("/proc/cpuinfo").read_text().splitlines()
    names = {line.split(":", 1)[1].strip() for line in cpus if line.startswith("model name")}
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**30
    return {
        "cpus": os.cpu_count(),
        "cpu": ", ".join(sorted(names)) or platform.machine(),
        "memory_gib": memory,
        "kernel": platform.release(),
        "postgres": postgres.ask("show server_version")[0][0],
        "settings": SETTINGS,
    }


def show_machine(one, settings):
    chosen = ", ".join(f"{key} = {value}" for key, value in one["settings"].items())
    print(
        f"{one['cpus']} CPUs ({one['cpu']}), {one['memory_gib']} GiB, Linux {one['kernel']}, "
        f"PostgreSQL {one['postgres']} ({chosen})."
    )
    print(
        f"{ROWS} rows a customer, {settings.concurrency} calls in flight, "
        f"medians of {settings.runs} runs.",
        flush=True,
    )


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
    # Exit by an exception, so that the servers are stopped on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    complete(settings)
    cache = Cache(settings.cache)
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="seatledger-bench."))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        postgres = Postgres()
        base, web = stack.enter_context(web_server(folder, cache.usage, cache.pages))
        report = {"machine": machine(postgres), "targets": []}
        show_machine(report["machine"], settings)
        if "load" in settings.parts:
            report["load"] = load(settings, postgres, base, web, cache, folder)
            table = medians(report["load"])
            show_load(table, {one.name: one.title for one in contenders.ALL})
            report["targets"] += targets(table)
        if "streaming" in settings.parts:
            report["streaming"] = streaming(settings, postgres, base, cache, folder)
            show_streaming(report["streaming"])
            report["targets"] += targets_of_streaming(report["streaming"])
        if "start" in settings.parts:
            report["start"] = start_and_stop(settings, postgres, base, cache, folder)
            show_start(report["start"])
            report["targets"] += targets_of_start(report["start"])
        show_targets(report["targets"])
        if settings.json:
            settings.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    try:
        main()
    except Failed as error:
        fail(error)
    except KeyboardInterrupt:
        sys.exit(130)
