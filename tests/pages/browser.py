"""A headless Chromium, and the pages of a daemon."""

import os
import re
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from urllib.parse import urldefrag, urljoin, urlsplit

from playwright.sync_api import sync_playwright

BASE = os.environ["DEMO_URL"]


@contextmanager
def chromium():
    """The browser."""
    # Chromium refuses to isolate its processes as root.
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        path = os.environ["CHROMIUM"]
        browser = playwright.chromium.launch(executable_path=path, args=options)
        try:
            yield browser
        finally:
            browser.close()


def fetch(url, accept="text/html"):
    """The status, headers and body of an answer."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(url, headers={"Accept": accept})
    try:
        answer = opener.open(request, timeout=30)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        return answer.status, answer.headers, answer.read().decode()


def shape(url):
    """What pages have in common that one handler answers: the path without ids, and the names of
    the query's fields."""
    parts = urlsplit(url)
    path = re.sub(r"/[0-9a-f-]{36}|/\d+(?=[/.]|$)", "/ID", parts.path)
    fields = sorted({field.split("=")[0] for field in parts.query.split("&")} - {""})
    return path + ("?" + "&".join(fields) if fields else "")


def crawl(base, most_of_a_shape):
    """Follows all links from the page `base`. Returns for each address its shape, status, type and
    body, for so many addresses of a shape at most."""
    found, counts, waiting, seen = {}, {}, [base], {base}
    patience = time.monotonic() + 60
    while waiting:
        url = waiting.pop(0)
        of_shape = shape(url)
        counts[of_shape] = counts.get(of_shape, 0) + 1
        if counts[of_shape] > most_of_a_shape:
            continue
        status, headers, body = fetch(url)
        # Right after its start, on a busy machine, a daemon may still be computing.
        while status == 503 and time.monotonic() < patience:
            time.sleep(1)
            status, headers, body = fetch(url)
        kind = headers.get_content_type()
        found[url] = (of_shape, status, kind, body)
        if kind != "text/html":
            continue
        for link in re.findall(r'<a\b[^>]*\shref="([^"]*)"', body):
            target = urldefrag(urljoin(url, link.replace("&amp;", "&")))[0]
            if target.startswith(base) and target not in seen:
                seen.add(target)
                waiting.append(target)
    return found
