"""What every page and report has to keep: nothing on the console, no request to others, nothing
wider than the window, no finding of axe, every link reached by the keyboard."""

import re
import sys

from axe_playwright_python.sync_playwright import Axe

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


def watched(context, where, own, status=200):
    """A page whose messages, errors and requests are watched. It may load what begins with `own`,
    and is answered with `status`."""
    page = context.new_page()

    def said(message):
        # Chromium mentions the status of the page itself.
        if status == 200 or f"status of {status}" not in message.text:
            fault(where, f"console: {message.text}")

    def asked(request):
        if not request.url.startswith((own, "data:")):
            fault(where, f"request to {request.url}")

    def answered(response):
        if response.url == page.url and response.status not in (0, status):
            fault(where, f"is answered with {response.status}")

    page.on("console", said)
    page.on("pageerror", lambda error: fault(where, f"error: {error}"))
    page.on("dialog", lambda dialog: fault(where, f"dialog: {dialog.message}"))
    page.on("request", asked)
    page.on("response", answered)
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
    for violation in Axe().run(page).response["violations"]:
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
                const shown = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0;
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


def printed(page, where, form, width):
    """On paper of a form, so many pixels wide without its margins, everything fits, in dark letters
    on white."""
    where = f"{where} ({form})"
    page.set_viewport_size({"width": width, "height": 1000})
    page.emulate_media(media="print", color_scheme="dark")
    overflow(page, where)
    ink = page.evaluate("() => getComputedStyle(document.body).color")
    if ink != "rgb(27, 33, 39)":
        fault(where, f"is printed in {ink}")
    if len(page.pdf(format=form)) < 1000:
        fault(where, "cannot be printed")


def plain(body, where):
    """What a page may not contain, whatever a browser makes of it."""
    for pattern, what in [
        (r"<script\b", "a script"),
        (r"\sstyle=", "an attribute style"),
        (r"(?:src|href)=\"(?:https?:)?//", "an address of somebody else"),
        ("[\u202a-\u202e\u2066-\u2069]", "a character that turns the direction of text"),
    ]:
        if re.search(pattern, body):
            fault(where, f"has {what}")
    # What is in quotation marks is a value, whatever it looks like.
    if re.search(r"<[^>]*\son[a-z]+=", re.sub(r'"[^"]*"', '""', body)):
        fault(where, "has an event handler")
    if len(body) > 200_000:
        fault(where, f"has {len(body)} bytes")
