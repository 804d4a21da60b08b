"""Measurements of the program alone: a partner-wide collection, the start, and an idle daemon."""

import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from statistics import median
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

from .contenders import Job, Seatledger, expected
from .data import PAGE_ROWS, ROWS
from .measure import MEGABYTE, Failed, scheduled, server_cpu
from .progress import note
from .table import show

# The partner-wide collection has no percentage.
NO_PERCENT = {"percent": "null::text"}
IDLE_SECONDS = 30


def streaming(settings, postgres, base, cache, folder):
    """One collection of a million rows in pages."""
    pages = settings.streaming_rows // PAGE_ROWS
    cache.commercial(pages)
    ids, copy = cache.customers(pages * PAGE_ROWS // ROWS)
    job = Job(f"{base}/pages-{pages}", ids, copy, "bench_streaming", settings.concurrency, folder)
    wanted = expected(postgres, job, **NO_PERCENT)
    ours = Seatledger(postgres, settings)
    results = []
    for number in range(settings.streaming_runs):
        postgres.make(job.database)
        ours.prepare(job)
        ours.settle(job, partner_center={"source": "commercial", "datasets": ["usage"]})
        postgres.ask("checkpoint")
        log, cpu = postgres.log_position(), postgres.cpu()
        cost = ours.run(job)
        results.append(
            {
                "rows": pages * PAGE_ROWS,
                "wall": cost.wall,
                "cpu": cost.cpu,
                "postgres_cpu": postgres.cpu() - cpu,
                "rss": cost.rss,
                "wal": postgres.log_position() - log,
            }
        )
        if (found := ours.found(job, **NO_PERCENT)) != wanted:
            raise Failed(
                f"the table holds {found} after a partner-wide collection, and should hold {wanted}"
            )
        note(
            f"a collection of {pages * PAGE_ROWS} rows, "
            f"run {number + 1} of {settings.streaming_runs}: {cost.wall:.2f} s"
        )
        postgres.drop(job.database)
    return results


def start_and_stop(settings, postgres, base, cache, folder):
    """How long the start takes, how long a run for one customer, and what an idle daemon costs."""
    ids, copy = cache.customers(1)
    job = Job(base, ids, copy, "bench_start", settings.concurrency, folder)
    ours = Seatledger(postgres, settings)
    postgres.make(job.database)
    ours.prepare(job)
    figures = {
        "bare_process": median(lifetime(["/bin/true"]) for _ in range(50)),
        "version": median(lifetime([settings.program, "--version"]) for _ in range(50)),
        "one_customer": median(ours.run(job).wall for _ in range(20)),
    }
    figures |= idle(ours, job)
    postgres.drop(job.database)
    return figures


def lifetime(command):
    """Seconds from the start of a process to its end."""
    quiet = [(os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)]
    begun = time.perf_counter()
    process = os.posix_spawn(command[0], command, {}, file_actions=quiet)
    _, status = os.waitpid(process, 0)
    if status != 0:
        raise Failed(f"{command} ended with code {os.waitstatus_to_exitcode(status)}")
    return time.perf_counter() - begun


def idle(ours, job):
    """The daemon for half a minute, with its next run far in the future."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        listen = f"127.0.0.1:{free.getsockname()[1]}"
    ours.settle(
        job, schedule={"cron": "0 0 0 1 1 *", "run_on_start": "never"}, status={"listen": listen}
    )
    with (job.folder / "daemon.log").open("wb") as log:
        daemon = subprocess.Popen(
            [ours.settings.program, "--config", ours.config], env=ours.env, stdout=log, stderr=log
        )
    try:
        wait_for_answer(f"http://{listen}/")
        note(f"the daemon idles for {IDLE_SECONDS} seconds")
        time.sleep(2)
        cpu, postgres_cpu = scheduled(daemon.pid), server_cpu(ours.postgres.pid)
        time.sleep(IDLE_SECONDS)
        figures = {
            "idle_cpu": scheduled(daemon.pid) - cpu,
            "idle_postgres_cpu": server_cpu(ours.postgres.pid) - postgres_cpu,
            "idle_rss": resident(daemon.pid),
        }
        begun = time.perf_counter()
        daemon.send_signal(signal.SIGTERM)
        if code := daemon.wait(30):
            raise Failed(f"the daemon ended with code {code} when it was told to stop")
        return figures | {"stop": time.perf_counter() - begun}
    finally:
        daemon.kill()
        daemon.wait()


def wait_for_answer(url):
    opener = build_opener(ProxyHandler({}))
    for _ in range(500):
        try:
            return json.load(opener.open(url, timeout=5))
        except URLError:
            time.sleep(0.02)
    raise Failed("the daemon's status address does not answer")


def resident(pid):
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def show_streaming(results):
    head = ["", "seconds", "rows/s", "CPU s", "Postgres CPU s", "RSS MB", "WAL MB"]
    middle = {figure: median(one[figure] for one in results) for figure in results[0]}
    line = [
        "seatledger",
        f"{middle['wall']:.2f}",
        f"{middle['rows'] / middle['wall']:.0f}",
        f"{middle['cpu']:.2f}",
        f"{middle['postgres_cpu']:.2f}",
        f"{middle['rss'] / MEGABYTE:.1f}",
        f"{middle['wal'] / MEGABYTE:.1f}",
    ]
    show(f"One partner-wide collection of {middle['rows']:.0f} rows, first load", head, [line])


def targets_of_streaming(results):
    rss = max(one["rss"] for one in results) / MEGABYTE
    return [
        wanted(
            f"peak RSS with a collection of {results[0]['rows']} rows",
            f"{rss:.1f} MB",
            "< 96 MB",
            rss < 96,
        )
    ]


def show_start(figures):
    milliseconds = (
        ("an empty process, for comparison", "bare_process"),
        ("--version", "version"),
        ("--backfill of one customer", "one_customer"),
    )
    lines = [[what, f"{1000 * figures[figure]:.1f} ms"] for what, figure in milliseconds]
    lines.append(["the idle daemon: RSS", f"{figures['idle_rss'] / MEGABYTE:.1f} MB"])
    lines.append(
        [f"the idle daemon: CPU in {IDLE_SECONDS} s", f"{1000 * figures['idle_cpu']:.1f} ms"]
    )
    lines.append(
        [
            f"the idle daemon: Postgres' CPU in {IDLE_SECONDS} s",
            f"{1000 * figures['idle_postgres_cpu']:.0f} ms",
        ]
    )
    lines.append(["the idle daemon: SIGTERM to its end", f"{1000 * figures['stop']:.1f} ms"])
    show("Start and stop", ["", "median"], lines)


def targets_of_start(figures):
    version, one, cpu = (
        1000 * figures["version"],
        1000 * figures["one_customer"],
        figures["idle_cpu"],
    )
    rss = figures["idle_rss"] / MEGABYTE
    return [
        wanted("--version", f"{version:.1f} ms", "< 5 ms", version < 5),
        wanted("--backfill of one customer", f"{one:.0f} ms", "< 100 ms", one < 100),
        wanted("RSS of the idle daemon", f"{rss:.1f} MB", "< 15 MB", rss < 15),
        wanted(
            f"CPU of the idle daemon in {IDLE_SECONDS} s",
            f"{1000 * cpu:.1f} ms",
            "≤ 10 ms",
            cpu <= 0.01,
        ),
    ]


def wanted(what, found, limit, met):
    return {"what": what, "where": "", "found": found, "limit": limit, "met": met}
