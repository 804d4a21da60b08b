"""The two servers of a benchmark: nginx with files in place of the API, and a database server that
others may not use."""

import os
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

from .measure import Failed, children, server_cpu
from .progress import fail

HERE = Path(__file__).resolve().parent.parent

# Everything else is as scripts/postgres leaves it: durable, with checksums.
SETTINGS = {
    "shared_buffers": "1GB",
    # So large that no checkpoint happens within a run. There is one before each run.
    "max_wal_size": "8GB",
    "checkpoint_timeout": "1h",
    # Segments of the log are reused, as on a server that has been running for a while.
    "min_wal_size": "4GB",
    # It would run at random moments. The benchmark vacuums between the runs instead.
    "autovacuum": "off",
}

NGINX = """
{user}
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    default_type application/json;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000;
    keepalive_timeout 600;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    map $arg_skip $page {{
        "" 0;
        default $arg_skip;
    }}
    server {{
        listen 127.0.0.1:{port} backlog=1024;
        location ~ "^/v1/customers/([0-9a-f-]+)/analytics/licenses/usage$" {{
            alias {usage}/$1.json;
        }}
        # The first part of the path says which collection, by its number of pages.
        rewrite "^/pages-([0-9]+)/v1/analytics/commercial/usage/license/$"
            /pages/$1/$page.json last;
        location /pages/ {{ internal; alias {pages}/; }}
    }}
}}
"""


@contextmanager
def web_server(folder, usage, pages):
    """Serves the answers from one process. Yields its address and process id."""
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if program is None:
        fail("nginx is missing. This says how to install it: scripts/need nginx")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # As root, nginx would switch to another user, which may have no access to this folder.
    user = "user root;" if os.geteuid() == 0 else ""
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(folder=folder, port=port, usage=usage, pages=pages, user=user))
    with (folder / "nginx.start").open("wb") as messages:
        server = subprocess.Popen([program, "-p", folder, "-c", config], stderr=messages)
    try:
        for _ in range(500):
            if server.poll() is not None:
                fail(f"nginx did not start: {(folder / 'nginx.start').read_text()}")
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.01)
        yield f"http://127.0.0.1:{port}", server.pid
    finally:
        server.terminate()
        server.wait()


class Postgres:
    """The private server that scripts/postgres has started for us."""

    def __init__(self):
        self.url = os.environ["DATABASE_URL"]
        self.pid = int(
            Path(os.environ["SEATLEDGER_PG_DIR"], "data/postmaster.pid").read_text().split()[0]
        )
        self.psql = shutil.which("psql") or f"{os.environ['SEATLEDGER_PG_BIN']}/psql"

    def url_of(self, database):
        return self.url.replace("/postgres?", f"/{database}?")

    def socket_url_of(self, database):
        """The same URL without a host, because some clients would connect to the host instead of
        the socket."""
        return self.url_of(database).replace("@localhost:5432/", "@/")

    def ask(self, statement, database="postgres"):
        """Runs statements, and returns the rows of the last one as lists of strings."""
        command = [self.psql, "-qXAt", "-v", "ON_ERROR_STOP=1", "-F", "\t", self.url_of(database)]
        done = subprocess.run(command, input=statement, text=True, capture_output=True)
        if done.returncode != 0:
            raise Failed(f"psql: {done.stderr}")
        return [line.split("\t") for line in done.stdout.splitlines()]

    def make(self, database):
        self.ask(f"drop database if exists {database} with (force)")
        self.ask(f"create database {database}")

    def drop(self, database):
        self.ask(f"drop database {database} with (force)")

    def log_position(self):
        """The number of bytes of write-ahead log written so far."""
        return int(self.ask("select pg_current_wal_insert_lsn() - '0/0'::pg_lsn")[0][0])

    def cpu(self):
        """Processor seconds of all its processes. Waits until those that serve a connection have
        ended, because only then does their parent's total include them."""
        deadline = time.monotonic() + 30
        while any(self.serves(child) for child in children(self.pid)):
            if time.monotonic() > deadline:
                raise Failed("a connection to the database is still open after 30 seconds")
            time.sleep(0.005)
        return server_cpu(self.pid)

    @staticmethod
    def serves(process):
        """Whether a process serves a connection, or has just ended and is not yet included in its
        parent's total."""
        try:
            title = Path(f"/proc/{process}/cmdline").read_bytes()
            return not title or b" [local] " in title
        except (FileNotFoundError, ProcessLookupError):
            return False
