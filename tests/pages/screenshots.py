"""Renews the pictures of the documentation. Each is of few colours, so that it is small, and shows
the top of its page."""

import io
import re
from pathlib import Path
from urllib.parse import urljoin

from PIL import Image

from browser import BASE, chromium, fetch

FOLDER = Path(__file__).parents[2] / "docs" / "pictures"
MOST_BYTES = 150_000


def shrunk(png):
    """The same picture with as many colours as fit into the bound."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    for colours in (256, 128, 64, 32):
        small = io.BytesIO()
        few = picture.quantize(colours, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
        few.save(small, "PNG", optimize=True)
        if small.tell() <= MOST_BYTES:
            return small.getvalue()
    raise SystemExit(f"a picture has {small.tell()} bytes, and at most {MOST_BYTES} are wanted")


def main():
    front = fetch(BASE)[2]
    link = re.search(r'href="([^"]*/customers/[0-9a-f-]{36})"', front)
    customer = urljoin(BASE, link.group(1))
    pictures = [
        ("front-light", BASE, "light", (1200, 1350)),
        ("front-dark", BASE, "dark", (1200, 1350)),
        ("front-phone", BASE, "light", (360, 780)),
        ("customers", urljoin(BASE, "customers"), "light", (1200, 900)),
        ("customer", customer, "light", (1200, 1350)),
    ]
    FOLDER.mkdir(exist_ok=True)
    with chromium() as browser:
        for name, url, scheme, (width, height) in pictures:
            context = browser.new_context(
                color_scheme=scheme,
                viewport={"width": width, "height": height},
                device_scale_factor=1.5,
            )
            page = context.new_page()
            page.goto(url)
            path = FOLDER / f"{name}.png"
            path.write_bytes(shrunk(page.screenshot()))
            print(f"{path}: {path.stat().st_size // 1000} kB")
            context.close()


main()
