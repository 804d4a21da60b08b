"""Names that were never meant for a page, in every column that a page or a report shows: on the
pages of a daemon of its own, in reports that are opened as files, and while the database is
away."""

import os
import re
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from browser import crawl, fetch
from rules import fault, look, plain, printed, watched

ROOT = Path(__file__).parents[2]
NAMES = [
    "<img src=x onerror=alert(1)>\"'></title></style><script>alert(2)</script>{{7*7}}",
    "Donaudampfschifffahrtselektrizit\u00e4tenhauptbetriebswerk" * 10,
    "\U0001f469\u200d\U0001f469\u200d\U0001f467" * 102,
    "\u202e\u2067\u0634\u0631\u0643\u0629 gnp.exe \u202d\u05d0\u05d1\u05d2\u2069\u2069",
    '=HYPERLINK("https://evil.example","x")',
    " ",
]
# A column has room for so many characters.
SPOIL = """
begin;
create temporary table hostile as
select n - 1 as n, name from unnest(array[{names}]) with ordinality as h (name, n);
update customer as c set customer_name = left(h.name, 512), domain = left(h.name, 253)
from (select customer_id, row_number() over (order by customer_id) as n from customer) as o
inner join hostile as h on h.n = o.n % {count}
where c.customer_id = o.customer_id;
update license_usage as u set
    product_name = left(u.product_name || h.name, 255),
    workload_name = left(u.workload_name || h.name, 255)
from hostile as h where h.n = length(u.product_name) % {count};
update license_deployment as u set product_name = left(u.product_name || h.name, 255)
from hostile as h where h.n = length(u.product_name) % {count};
update sync_run as u set detail = h.name, host = left(h.name, 255)
from hostile as h where h.n = u.run_id % {count};
update sync_customer as u set detail = h.name
from hostile as h where h.n = u.run_id % {count} and u.outcome = 'failed';
select reread_license_usage();
commit;
"""
LOGO = """<svg xmlns="http://www.w3.org/2000/svg" width="90" height="30" onload="alert(3)">
<script>alert(4)</script><image href="https://evil.example/a.png"/><path d="M0 0h90v30z"/></svg>"""
# Paper without the margins of a report, at 96 pixels an inch.
PAPER = {"A4": 672, "Letter": 695}


def sql(text, url):
    done = subprocess.run(
        ["psql", "-XqAt", url, "-v", "ON_ERROR_STOP=1"],
        input=text,
        text=True,
        check=True,
        capture_output=True,
    )
    return done.stdout.strip()


def wait_until(what, condition):
    """The first answer of `condition` that counts."""
    end = time.monotonic() + 120
    while not (answer := condition()):
        if time.monotonic() > end:
            raise SystemExit(f"in vain waited until {what}")
        time.sleep(0.2)
    return answer


def environment(folder):
    """Of the program: the demo's configuration, and nobody to ask for figures."""
    return os.environ | {
        "SEATLEDGER__DATABASE__URL": os.environ["DATABASE_URL"],
        "SEATLEDGER__PARTNER_CENTER__BASE_URL": "http://127.0.0.1:9",
        "SEATLEDGER__AUTH__AUTHORITY": "http://127.0.0.1:9",
        "SEATLEDGER__AUTH__REFRESH_TOKEN_FILE": f"{folder}/token",
        "SEATLEDGER__STATUS__LISTEN": "127.0.0.1:0",
        "SEATLEDGER__LOG__FILTER": "info",
        "SEATLEDGER__LOG__FORMAT": "text",
    }


def command(*arguments):
    return [os.environ["SEATLEDGER"], "--config", str(ROOT / "demo/config.toml"), *arguments]


@contextmanager
def daemon(folder):
    """The address of a daemon that has computed its figures."""
    log = Path(folder) / "log"
    with log.open("w") as out:
        running = subprocess.Popen(command(), env=environment(folder), stdout=out, stderr=out)
    try:
        serving = r"Serving the status address.*address=([0-9.:]+)"
        found = wait_until("a daemon is up", lambda: re.search(serving, log.read_text()))
        base = f"http://{found.group(1)}/"
        figures = base + "data/figures.json"
        wait_until("its figures are there", lambda: fetch(figures)[0] == 200)
        yield base
    finally:
        running.terminate()
        running.wait()


@contextmanager
def database_away():
    """Nobody gets a connection meanwhile."""
    url = os.environ["DATABASE_URL"]
    name = sql("select current_database()", url)
    other = re.sub(r"/[^/?]+(\?|$)", r"/template1\1", url)
    allow = f'alter database "{name}" allow_connections'
    end = f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'"
    sql(f"{allow} false; {end}", other)
    try:
        yield
    finally:
        sql(f"{allow} true", other)


def look_at_all(browser, base, pages, condition, status):
    for scheme, width in [("light", 360), ("dark", 1440)]:
        size = {"width": width, "height": 900}
        context = browser.new_context(color_scheme=scheme, viewport=size)
        for url in pages:
            where = f"{url} ({condition}, {scheme}, {width})"
            page = watched(context, where, base, status)
            page.goto(url)
            look(page, where)
            page.close()
        context.close()


def check_reports(browser, folder):
    """Reports with such names, as a customer opens them: from a file. Gives their number."""
    logo = Path(folder) / "logo.svg"
    logo.write_text(LOGO)
    out = Path(folder) / "reports"
    made = command("report", "--partner", NAMES[0], "--logo", str(logo), "--out", str(out))
    subprocess.run(made, env=environment(folder), check=True, stdout=subprocess.DEVNULL)
    # One of each kind of name; without its id a file has the name's.
    kinds = {re.sub(r"-[0-9a-f]{8}\.", ".", file.name): file for file in sorted(out.iterdir())}
    for file in kinds.values():
        plain(file.read_text(), file.name)
        for scheme, width in [("light", 360), ("dark", 1440)]:
            where = f"{file.name} ({scheme}, {width})"
            size = {"width": width, "height": 900}
            context = browser.new_context(color_scheme=scheme, viewport=size)
            page = watched(context, where, file.as_uri())
            page.goto(file.as_uri())
            look(page, where)
            for form, room in PAPER.items():
                printed(page, file.name, form, room)
            context.close()
    return len(kinds)


def check(browser):
    """Spoils the demo's ledger and looks at what becomes of it. Says how much there was to see."""
    if not os.environ.get("DATABASE_URL"):
        return "no hostile names, because DATABASE_URL names no ledger to spoil"
    quoted = ", ".join("'" + name.replace("'", "''") + "'" for name in NAMES)
    sql(SPOIL.format(names=quoted, count=len(NAMES)), os.environ["DATABASE_URL"])
    with tempfile.TemporaryDirectory() as folder, daemon(folder) as base:
        found = crawl(base, most_of_a_shape=len(NAMES))
        pages = {url: it for url, it in found.items() if it[2] == "text/html"}
        for url, (_, status, _, body) in pages.items():
            plain(body, url)
            if status != 200:
                fault(url, f"is linked and answered {status}: {body[:80]}")
        shapes = {of_shape: url for url, (of_shape, *_) in pages.items()}.values()
        # Of customers as many as there are kinds of names, of other pages one of a shape.
        looked_at = [url for url in pages if url in shapes or "/customers/" in url]
        look_at_all(browser, base, looked_at, "hostile names", 200)
        reports = check_reports(browser, folder)
        with database_away():
            wait_until("the database is missed", lambda: fetch(base)[0] == 503)
            look_at_all(browser, base, shapes, "database away", 503)
            body = fetch(base)[2]
            for text in ["database is away", "was last known", "Movers of the week"]:
                if text not in body:
                    fault(base, f"does not say {text!r} while the database is away")
        wait_until("the database is back", lambda: fetch(base)[0] == 200)
    return f"{len(looked_at)} pages and {reports} reports with hostile names"
