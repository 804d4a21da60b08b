"""Opens every page in both colour schemes and several widths, and holds it against the rules; then
the same with hostile names, reports as files, and the database away."""

import sys

import hostile
from browser import BASE, chromium, crawl, fetch, shape
from rules import fault, faults, keyboard, look, plain, printed, watched

# A phone, a tablet, a desk.
WIDTHS = [360, 768, 1440]
# Paper without its margins, at 96 pixels an inch.
PAPER = {"A4": 718, "Letter": 740}
# What people set in their browsers and systems: letters twice as large take half the pixels.
SETTINGS = {
    "zoom of 200 %": {"viewport": {"width": 640, "height": 400}, "device_scale_factor": 2},
    "zoom of 400 %": {"viewport": {"width": 320, "height": 256}, "device_scale_factor": 4},
    "forced colours": {"forced_colors": "active", "viewport": {"width": 1440, "height": 900}},
    "less motion": {"reduced_motion": "reduce", "viewport": {"width": 1440, "height": 900}},
}


def check_pages(browser, found):
    """Every page, in every scheme and width."""
    html = {url: it for url, it in found.items() if it[2] == "text/html"}
    shapes = {}
    for url, (of_shape, _, _, body) in html.items():
        plain(body, url)
        shapes.setdefault(of_shape, url)
    for scheme in ["light", "dark"]:
        for width in WIDTHS:
            size = {"width": width, "height": 900}
            context = browser.new_context(color_scheme=scheme, viewport=size)
            # Of the others of a shape it is enough that they fit on the smallest screen.
            urls = html if (scheme, width) == ("light", 360) else shapes.values()
            for url in urls:
                where = f"{url} ({scheme}, {width})"
                page = watched(context, where, BASE, html[url][1])
                page.goto(url)
                look(page, where)
                if (scheme, width) == ("light", 1440):
                    keyboard(page, where)
                    for form, room in PAPER.items():
                        printed(page, url, form, room)
                page.close()
            context.close()
    for name, setting in SETTINGS.items():
        context = browser.new_context(**setting)
        for url in shapes.values():
            where = f"{url} ({name})"
            page = watched(context, where, BASE, html[url][1])
            page.goto(url)
            look(page, where)
            if name == "forced colours":
                keyboard(page, where)
            moving = page.evaluate("() => document.getAnimations().length")
            if moving:
                fault(where, f"{moving} parts move")
            page.close()
        context.close()
    context = browser.new_context(java_script_enabled=False)
    for url in shapes.values():
        where = f"{url} (without scripts)"
        page = watched(context, where, BASE, html[url][1])
        page.goto(url)
        if not page.locator("h1").first.is_visible():
            fault(where, "has no heading")
        page.close()
    context.close()
    return len(shapes)


def main():
    found = crawl(BASE, most_of_a_shape=3)
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
        others = hostile.check(browser)
    print(f"{len(found)} addresses, {shapes} kinds of pages; {others}; {len(faults)} faults")
    sys.exit(1 if faults else 0)


main()
