"""Opens every page in both colour schemes and three widths, and holds it against what a page has
to keep: nothing on the console, no request to others, nothing wider than the window, no serious
finding of axe, every link reached by the keyboard, readable in print and without scripts."""

import os
import re
import subprocess
import sys

from axe_playwright_python.sync_playwright import Axe

from browser import BASE, chromium, crawl, fetch, shape

SCHEMES = ["light", "dark"]
WIDTHS = [360, 768, 1440]
# A4 without its margins, at 96 pixels an inch.
PAPER = 718
# A name that a customer could have, and that nobody would like.
HOSTILE = (
    '<img src=x onerror=alert(1)>"\'><script>alert(2)</script>\u202egnp.exe\u202c \U0001f480'
    + "Donaudampfschifffahrtselektrizit\u00e4ten" * 10
)

# What the keyboard must reach. What is in a closed <details> cannot be reached by anybody.
REACHABLE = """() => [...document.querySelectorAll(
        'a[href], summary, input, select, button, [tabindex="0"]')]
    .filter((it) => !it.disabled && it.type !== 'hidden' && it.checkVisibility())"""

faults = []


def fault(where, what):
    """Notes a fault and goes on, so that one run shows all of them."""
    if (where, what) not in faults:
        faults.append((where, what))
        print(f"FAULT {where}: {what}", file=sys.stderr)


def watched(context, where):
    """A page whose messages, errors and requests are watched."""
    page = context.new_page()

    def said(message):
        # The page of an address that is nowhere has status 404, which Chromium mentions.
        if "404 (Not Found)" not in message.text:
            fault(where, f"console: {message.text}")

    page.on("console", said)
    page.on("pageerror", lambda error: fault(where, f"error: {error}"))
    page.on("dialog", lambda dialog: fault(where, f"dialog: {dialog.message}"))

    def asked(request):
        if not request.url.startswith((BASE, "data:")):
            fault(where, f"request to {request.url}")

    page.on("request", asked)
    return page


def overflow(page, where):
    """Only a table may be wider than the window, in a box of its own."""
    sizes = "() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    scroll, client = page.evaluate(sizes)
    if scroll > client:
        widest = page.evaluate(
            """(client) => [...document.querySelectorAll('body *')]
                .filter((it) => it.getBoundingClientRect().right > client + 1)
                .slice(0, 4).map((it) => it.tagName + '.' + it.getAttribute('class'))""",
            client,
        )
        fault(where, f"is {scroll - client} pixels wider than the window: {widest}")


def look(page, where):
    """Holds a page that is open against the rules."""
    overflow(page, where)
    found = Axe().run(page).response["violations"]
    for violation in found:
        if violation["impact"] in ("serious", "critical"):
            places = [node["target"][0] for node in violation["nodes"]][:3]
            count = len(violation["nodes"])
            fault(where, f"axe: {violation['id']} at {count} places, such as {places}")


def keyboard(page, where):
    """Each link is reached by Tab, and shows that it is."""
    wanted = page.evaluate(f"() => ({REACHABLE})().length")
    page.evaluate("() => document.activeElement.blur()")
    reached, invisible = set(), 0
    for _ in range(wanted + 5):
        page.keyboard.press("Tab")
        place, shown = page.evaluate(
            f"""() => {{
                const active = document.activeElement;
                const style = getComputedStyle(active);
                const shown = style.outlineStyle !== 'none' || style.boxShadow !== 'none';
                return [({REACHABLE})().indexOf(active), shown];
            }}"""
        )
        if place >= 0:
            reached.add(place)
            invisible += not shown
    if len(reached) < wanted:
        missing = page.evaluate(
            f"(reached) => ({REACHABLE})().filter((_, n) => !reached.includes(n))"
            ".slice(0, 3).map((it) => it.outerHTML.slice(0, 80))",
            sorted(reached),
        )
        fault(where, f"Tab reaches {len(reached)} of {wanted} places, not {missing}")
    if invisible:
        fault(where, f"{invisible} places do not show that they have the focus")


def plain(body, where):
    """What a page may not contain, whatever a browser makes of it."""
    for pattern, what in [
        (r"<script\b", "a script"),
        (r"\sstyle=", "an attribute style"),
        (r"\son[a-z]+=\"", "an event handler"),
        (r"(?:src|href)=\"(?:https?:)?//", "an address of somebody else"),
    ]:
        if re.search(pattern, body):
            fault(where, f"has {what}")
    if len(body) > 200_000:
        fault(where, f"has {len(body)} bytes")


def check_pages(browser, found):
    """Every page, in every scheme and width."""
    html = {url: it for url, it in found.items() if it[2] == "text/html"}
    shapes = {}
    for url, (of_shape, _, _, body) in html.items():
        plain(body, url)
        shapes.setdefault(of_shape, url)
    for scheme in SCHEMES:
        for width in WIDTHS:
            size = {"width": width, "height": 900}
            context = browser.new_context(color_scheme=scheme, viewport=size)
            # Of the others of a shape it is enough that they fit on the smallest screen.
            urls = html if (scheme, width) == ("light", 360) else shapes.values()
            for url in urls:
                where = f"{url} ({scheme}, {width})"
                page = watched(context, where)
                page.goto(url)
                look(page, where)
                if (scheme, width) == ("light", 1440):
                    keyboard(page, where)
                    page.set_viewport_size({"width": PAPER, "height": 1000})
                    page.emulate_media(media="print")
                    overflow(page, f"{url} (print)")
                    if len(page.pdf(format="A4")) < 1000:
                        fault(where, "cannot be printed")
                page.close()
            context.close()
    context = browser.new_context(java_script_enabled=False)
    for url in shapes.values():
        where = f"{url} (without scripts)"
        page = watched(context, where)
        page.goto(url)
        if not page.locator("h1").first.is_visible():
            fault(where, "has no heading")
        page.close()
    context.close()
    return len(shapes)


def check_hostile(browser, found):
    """Names that were never meant for a page."""
    name = HOSTILE[:512].replace("'", "''")
    subprocess.run(
        ["psql", "-Xq", os.environ["DATABASE_URL"], "-v", "ON_ERROR_STOP=1"],
        input=f"update customer set customer_name = '{name}'",
        text=True,
        check=True,
    )
    seen = set()
    for url, (of_shape, _, kind, _) in found.items():
        if kind != "text/html" or of_shape in seen:
            continue
        seen.add(of_shape)
        for width in [360, 1440]:
            where = f"{url} (hostile names, {width})"
            size = {"width": width, "height": 900}
            context = browser.new_context(viewport=size)
            page = watched(context, where)
            page.goto(url)
            look(page, where)
            context.close()


def main():
    found = crawl(most_of_a_shape=3)
    for url, (_, status, kind, body) in found.items():
        if status != 200:
            fault(url, f"is linked and answered {status}: {body[:80]}")
    missing = BASE + "nowhere"
    status, headers, body = fetch(missing)
    if status != 404:
        fault(missing, f"is nowhere and answered {status}")
    found[missing] = (shape(missing), status, headers.get_content_type(), body)
    with chromium() as browser:
        shapes = check_pages(browser, found)
        if "DATABASE_URL" in os.environ:
            check_hostile(browser, found)
    print(f"{len(found)} addresses, {shapes} kinds of pages, {len(faults)} faults")
    sys.exit(1 if faults else 0)


main()
