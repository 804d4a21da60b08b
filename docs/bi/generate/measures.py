"""The measures of the Power BI model, with their additivity in the description."""

from dataclasses import dataclass

COUNT = "#,0"
PERCENT = "0.0%;-0.0%;0.0%"


@dataclass(frozen=True)
class Measure:
    name: str
    dax: str
    description: str
    format: str = COUNT


def total(table: str, column: str) -> str:
    return f"SUM({table}[{column}])"


def at_last_date(table: str, column: str) -> str:
    """The seats at the last date with figures of the period. Seats of different days are the same
    seats, so they are never added up; seats of a product repeat on its workloads, so of these the
    largest counts."""
    return f"""\
VAR LastDate =
    LASTNONBLANK(
        date_dimension[date],
        CALCULATE(COUNTROWS({table}))
    )
RETURN
    CALCULATE(
        SUMX(
            VALUES({table}[product_name]),
            CALCULATE(MAX({table}[{column}]))
        ),
        LastDate
    )"""


NOT_OVER_DATES = (
    "Adds up over products. Over dates it is the figure of the last date of the period; over "
    "workloads it is the largest."
)

MEASURES = {
    "license_usage_daily_total": (
        Measure(
            "Active seats",
            at_last_date("license_usage_daily_total", "licenses_active"),
            f"Seats whose user was active within 28 days. {NOT_OVER_DATES}",
        ),
        Measure(
            "Qualified seats",
            at_last_date("license_usage_daily_total", "licenses_qualified"),
            f"Seats that qualify for use. {NOT_OVER_DATES}",
        ),
        Measure(
            "Active ratio",
            "DIVIDE([Active seats], [Qualified seats])",
            "Active by qualified seats, of the last date of the period. Never add or average it.",
            PERCENT,
        ),
    ),
    "license_usage_total": (
        Measure(
            "Active seats at month end",
            at_last_date("license_usage_total", "licenses_active"),
            f"Active seats of each customer's last collection of the month. {NOT_OVER_DATES}",
        ),
        Measure(
            "Qualified seats at month end",
            at_last_date("license_usage_total", "licenses_qualified"),
            f"Qualified seats of each customer's last collection of the month. {NOT_OVER_DATES}",
        ),
    ),
    "license_product": (
        Measure(
            "Sold seats now",
            total("license_product", "licenses_sold"),
            "Adds up over customers, products, channels and services.",
        ),
        Measure(
            "Assigned seats now",
            total("license_product", "licenses_assigned"),
            "Adds up over customers, products, channels and services.",
        ),
        Measure(
            "Qualified seats now",
            total("license_product", "licenses_qualified"),
            "The largest workload of each product. Adds up over customers, products, channels and "
            "services.",
        ),
        Measure(
            "Active seats now",
            total("license_product", "licenses_active"),
            "The most used workload of each product. Adds up over customers, products, channels "
            "and services.",
        ),
        Measure(
            "Unused paid seats now",
            "CALCULATE(\n"
            "    SUM(license_product[licenses_unused]),\n"
            '    license_product[product_kind] = "paid",\n'
            "    license_product[licenses_unused] > 0\n"
            ")",
            "Sold (else qualified) seats of paid products less active ones, where there are more: "
            "the sum of license_waste. Adds up over customers, products, channels and services.",
        ),
    ),
    "license_waste_monthly": (
        Measure(
            "Unused paid seats at month end",
            "CALCULATE(\n"
            "    SUM(license_waste_monthly[licenses_unused]),\n"
            "    LASTNONBLANK(\n"
            "        date_dimension[date],\n"
            "        CALCULATE(COUNTROWS(license_waste_monthly))\n"
            "    )\n"
            ")",
            "Paid seats that nobody uses. Adds up over customers and products; over months it is "
            "that of the last month.",
        ),
    ),
    "license_growth": (
        Measure(
            "Active seats gained in 30 days",
            total("license_growth", "licenses_active_change_30d"),
            "Adds up over customers, and over products within one workload. Choose one workload.",
        ),
    ),
    "license_adoption": (
        Measure(
            "Adoption",
            "DIVIDE(\n"
            "    SUM(license_adoption[licenses_active]),\n"
            "    SUM(license_adoption[licenses_qualified])\n"
            ")",
            "Active by qualified seats of one workload. Choose one workload.",
            PERCENT,
        ),
    ),
    "customer_lifecycle": (
        Measure(
            "Customers",
            "COUNTROWS(customer_lifecycle)",
            "Adds up over states.",
        ),
    ),
    "data_completeness": (
        Measure(
            "Completeness",
            "DIVIDE(\n"
            "    SUM(data_completeness[customers_stored]),\n"
            "    SUM(data_completeness[customers_expected])\n"
            ")",
            "Stored by expected collections, over days and services.",
            PERCENT,
        ),
    ),
}
