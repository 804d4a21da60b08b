"""What the database cannot say about its views: their group, the columns that identify a row, and
which of them make up the models for Power BI and Superset.

Names, types and descriptions come from the comments in the database. A view without an entry here,
or an entry without a view, ends the generator with an error.
"""

from dataclasses import dataclass

CUSTOMER_PRODUCT = ("customer_id", "product_name")
SERIES = ("customer_id", "product_name", "workload_name")
DATED_SERIES = (*SERIES, "processed_date_time")

NOW, TIME, CUSTOMERS, QUALITY, NAMES = "now", "time", "customers", "quality", "names"

# The groups in the order in which a reader meets them, with their headings.
GROUPS = {
    NOW: "What is held and used now",
    TIME: "Over time",
    CUSTOMERS: "Customers and products that come and go",
    QUALITY: "Whether the figures are there, and how they changed",
    NAMES: "Names, dates, and the tables that you edit",
}


@dataclass(frozen=True)
class View:
    """`grain` identifies a row; an entry may be an SQL expression. `date` is the column that
    relates to `date_dimension`. A view with `in_model` is part of the models for BI tools."""

    group: str
    grain: tuple[str, ...]
    date: str | None = None
    in_model: bool = False


VIEWS = {
    "license_product": View(NOW, CUSTOMER_PRODUCT, in_model=True),
    "license_usage_current": View(NOW, SERIES, in_model=True),
    "license_waste": View(NOW, CUSTOMER_PRODUCT),
    "license_growth": View(NOW, SERIES, in_model=True),
    "license_adoption": View(NOW, ("customer_id", "workload_name"), in_model=True),
    "license_seats": View(NOW, ("customer_id", "product_name", "workload_key")),
    "license_usage_latest": View(NOW, SERIES),
    "license_deployment_latest": View(NOW, CUSTOMER_PRODUCT),
    "license_usage_daily_total": View(
        TIME, ("date", "product_name", "workload_name"), date="date", in_model=True
    ),
    "license_usage_daily": View(TIME, ("date", *SERIES), date="date"),
    "license_usage_total": View(
        TIME, ("month", "product_name", "workload_name"), date="month", in_model=True
    ),
    "license_usage_monthly": View(TIME, (*SERIES, "month"), date="month"),
    "license_product_monthly": View(TIME, ("month", *CUSTOMER_PRODUCT), date="month"),
    "license_waste_monthly": View(TIME, ("month", *CUSTOMER_PRODUCT), date="month", in_model=True),
    "license_usage_change": View(TIME, DATED_SERIES, date="processed_date"),
    "license_usage_series": View(
        TIME,
        (
            "customer_id",
            "coalesce(product_id, product_name)",
            "coalesce(workload_code, workload_name)",
            "processed_date_time",
        ),
        date="processed_date",
    ),
    "customer_lifecycle": View(CUSTOMERS, ("customer_id",), in_model=True),
    "license_holding": View(CUSTOMERS, CUSTOMER_PRODUCT, in_model=True),
    "product_rename_suspect": View(CUSTOMERS, ("old_product_name", "new_product_name")),
    "customer_freshness": View(QUALITY, ("customer_id",), in_model=True),
    "data_completeness": View(QUALITY, ("date", "service"), date="date", in_model=True),
    "coverage": View(QUALITY, ("customer_id", "processed_date"), date="processed_date"),
    "license_usage_restatement": View(QUALITY, ("restatement_id",), date="processed_date"),
    "license_deployment_restatement": View(QUALITY, ("restatement_id",), date="processed_date"),
    "date_dimension": View(NAMES, ("date",), in_model=True),
    "product_name_history": View(NAMES, ("product_id", "product_name")),
    "workload_name_history": View(NAMES, ("workload_code", "workload_name")),
    "product_note": View(NAMES, ("product_name",)),
    "product_alias": View(NAMES, ("product_name",)),
    "adoption_target": View(NAMES, ("workload_name",)),
}

# The dimension tables of the models, with the column by which facts relate to them.
DATES = ("date_dimension", "date")
CUSTOMER = ("customer_freshness", "customer_id")

# Figures that add up over the rows of a view, as long as the reader keeps to what the comment of
# the column says. Ratios never do, nor counts of customers over products.
ADDS_UP = ("licenses_", "customers_stored", "customers_expected")
