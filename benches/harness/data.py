"""The data that all contenders get: made once, from a seed, so that every machine has the same.

A smaller size is a part of a larger one. The data is kept in a folder, and made again when
`VERSION` changes.
"""

import hashlib
import json
import random
import shutil
import uuid

from .progress import note

VERSION = "1"
ROWS = 20
PROCESSED = "2026-03-01T00:00:00+00:00"
PAGE_ROWS = 10_000

OFFICE = [
    ("EXO", "Exchange"),
    ("SPO", "SharePoint"),
    ("TEAMS", "Teams"),
    ("YAMMER", "Yammer"),
    ("APPS", "Microsoft 365 Apps"),
]
PRODUCTS = [
    "Microsoft 365 Business Basic",
    "Microsoft 365 Business Standard",
    "Microsoft 365 Business Premium",
    "Office 365 E1",
    "Office 365 E3",
    "Office 365 E5",
    "Microsoft 365 E3",
    "Microsoft 365 E5",
    "Microsoft 365 F3",
]
COMPANIES = [
    "Alpine Ski House",
    "Contoso",
    "Fabrikam",
    "Litware",
    "Northwind Traders",
    "Tailspin Toys",
    "Wingtip Toys",
    "Woodgrove Bank",
]


def digest(text):
    return hashlib.md5(f"seatledger {VERSION} {text}".encode()).digest()


def customer_id(number):
    return str(uuid.UUID(bytes=digest(f"customer {number}"), version=4))


def rows(number):
    """One customer's rows: four products with five workloads each."""
    dice = random.Random(number)
    customer, name = customer_id(number), f"{dice.choice(COMPANIES)} {number}"
    for product in dice.sample(PRODUCTS, ROWS // len(OFFICE)):
        qualified = dice.randint(5, 400)
        for code, workload in OFFICE:
            # More than 100 per cent is rare but occurs.
            active = round(qualified * dice.betavariate(4, 2) * 1.05)
            yield (
                customer,
                name,
                product,
                code,
                workload,
                active,
                qualified,
                round(100 * active / qualified, 2),
            )


def product_id(product):
    return str(uuid.UUID(bytes=digest(f"product {product}"), version=4)).upper()


def collection(number):
    """The answer for one customer, as the customer's own collection has it: without codes and
    product ids."""
    items = [
        {
            "customerId": customer,
            "customerName": name,
            "productName": product,
            "workloadName": workload,
            "serviceName": "o365",
            "channel": "Reseller",
            "licensesActive": active,
            "licensesQualified": qualified,
            "usagePercent": percent,
            "processedDateTime": PROCESSED,
            "attributes": {"objectType": "CustomerLicensesUsageInsights"},
        }
        for customer, name, product, _, workload, active, qualified, percent in rows(number)
    ]
    answer = {"totalCount": len(items), "items": items, "attributes": {"objectType": "Collection"}}
    return json.dumps(answer, separators=(",", ":"))


def copy_lines(number):
    """The same rows as lines for COPY, in the order of columns that peers/staging.sql has."""
    for customer, name, product, _, workload, active, qualified, percent in rows(number):
        key = f"{customer}\t{product}\t{workload}\t{PROCESSED}"
        yield f"{key}\t{name}\to365\tReseller\t{active}\t{qualified}\t{percent}\n"


def page(number, pages):
    """One page of the partner-wide collection, as source "commercial" reads it."""
    first = number * PAGE_ROWS // ROWS
    value = [
        {
            "processedDateTime": PROCESSED,
            "workloadCode": code,
            "workloadName": workload,
            "serviceCode": "o365",
            "serviceName": "Microsoft 365",
            "channel": "Reseller",
            "customerTenantId": customer.upper(),
            "customerName": name,
            "productId": product_id(product),
            "productName": product,
            "licensesActive": active,
            "licensesQualified": qualified,
        }
        for one in range(first, first + PAGE_ROWS // ROWS)
        for customer, name, product, code, workload, active, qualified, _ in rows(one)
    ]
    skip = (number + 1) * PAGE_ROWS
    link = (
        f"/v1/analytics/commercial/usage/license/?top={PAGE_ROWS}&skip={skip}"
        if number + 1 < pages
        else None
    )
    return json.dumps(
        {"Value": value, "@nextLink": link, "TotalCount": pages * PAGE_ROWS}, separators=(",", ":")
    )


class Cache:
    """The folder with everything made so far."""

    def __init__(self, folder):
        self.folder = folder / f"data-{VERSION}"
        for old in folder.glob("data-*"):
            if old != self.folder:
                shutil.rmtree(old)
        self.usage = self.folder / "usage"
        self.pages = self.folder / "pages"

    def sizes(self):
        return [int(whole.name.removeprefix("made-")) for whole in self.folder.glob("made-*")]

    def customers(self, count):
        """Makes the data of `count` customers. Returns the file of their ids and the file of rows
        for COPY."""
        ids, copy, whole = (
            self.folder / f"{name}-{count}" for name in ("customers", "rows", "made")
        )
        if not whole.exists():
            note(f"making the answers and rows of {count} customers")
            self.usage.mkdir(parents=True, exist_ok=True)
            # Customers of a smaller size that is complete need not be made again.
            made = max([0, *(size for size in self.sizes() if size < count)])
            with ids.open("w") as ids_file, copy.open("w") as copy_file:
                for number in range(count):
                    customer = customer_id(number)
                    ids_file.write(f"{customer}\n")
                    copy_file.writelines(copy_lines(number))
                    if number >= made:
                        (self.usage / f"{customer}.json").write_text(collection(number))
            whole.touch()
        return ids, copy

    def commercial(self, pages):
        """Makes the pages of a partner-wide collection."""
        folder = self.pages / str(pages)
        whole = folder / "made"
        if not whole.exists():
            note(f"making a collection of {pages * PAGE_ROWS} rows")
            folder.mkdir(parents=True, exist_ok=True)
            for number in range(pages):
                (folder / f"{number * PAGE_ROWS}.json").write_text(page(number, pages))
            whole.touch()
