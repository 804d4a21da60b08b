"""Asks Superset for the data of each chart of the dashboard, and compares it with SQL."""

import datetime
import os
import sys
from decimal import Decimal

import psycopg2
from superset.app import create_app

PAID = "from license_product where product_kind = 'paid'"

# What each chart shows, by its name: its columns in the order of the answer, on the views.
WANTED = {
    "Sold seats": f"select sum(licenses_sold) {PAID}",
    "Assigned seats": f"select sum(licenses_assigned) {PAID}",
    "Active seats": f"select sum(licenses_active) {PAID}",
    "Unused seats": "select sum(licenses_unused) from license_waste",
    "Active seats by workload and day": """
        select date, workload_name, sum(licenses_active) from license_usage_daily_total
        where product_kind = 'paid' and date >= current_date - 90 group by 1, 2""",
    "Active seats by workload at the ends of months": """
        select month, workload_name, sum(licenses_active) from license_usage_daily_total
        inner join date_dimension using (date)
        where product_kind = 'paid' and is_month_end
            and date >= current_date - interval '13 months'
        group by 1, 2""",
    "Active and qualified seats by workload on the newest day": """
        select workload_name, sum(licenses_active), sum(licenses_qualified)
        from license_usage_daily_total
        where product_kind = 'paid'
            and date = (select max(date) from license_usage_daily_total)
        group by 1""",
    "Completeness by service and day": """
        select date, service, completeness from data_completeness
        where date >= current_date - 91""",
    "What changed most within a week": """
        select customer_name, product_name, workload_name, licenses_active_7d_ago,
            licenses_active, licenses_active_change_7d
        from license_growth where licenses_active_change_7d <> 0
        order by abs(licenses_active_change_7d) desc limit 1000""",
    "Paid products with unused seats": """
        select customer_name, product_name, licenses_sold, licenses_qualified, licenses_active,
            licenses_unused
        from license_waste order by licenses_unused desc limit 1000""",
    "Unused paid seats at the end of the newest month": """
        select month, product_name, sum(licenses_unused) from license_waste_monthly
        where month = (select max(month) from license_waste_monthly) group by 1, 2""",
    "New, renamed and ended products": """
        select product_name, replaces, min(first_date), max(last_date), count(*),
            count(*) filter (where is_current)
        from license_holding group by 1, 2
        having not bool_or(is_from_the_start) or not bool_or(is_current)""",
    "Customers by state": "select state, count(*) from customer_freshness group by 1",
    "Customers that need a person": """
        select customer_name, state, state_reason, last_success_at from customer_freshness
        where state in ('failing', 'stale')""",
}


def plain(value: object) -> object:
    """A value of either side in a form in which both are equal."""
    if isinstance(value, datetime.datetime):
        return value.timestamp()
    if isinstance(value, datetime.date):
        midnight = datetime.datetime(value.year, value.month, value.day, tzinfo=datetime.UTC)
        return midnight.timestamp()
    if isinstance(value, Decimal | float):
        return round(float(value), 9)
    return value


def shown(result: dict) -> list[tuple]:
    """The rows of a chart. Superset gives moments as milliseconds."""
    kinds = dict(zip(result["colnames"], result["coltypes"], strict=True))
    return [
        tuple(
            row[name] / 1_000 if kinds[name] == 2 and row[name] is not None else plain(row[name])
            for name in result["colnames"]
        )
        for row in result["data"]
    ]


def main() -> None:
    database = psycopg2.connect(os.environ["BI_URL"])
    with create_app().test_client() as client:
        login = {"username": "admin", "password": "admin", "provider": "db", "refresh": False}
        answer = client.post("/api/v1/security/login", json=login)
        token = {"Authorization": f"Bearer {answer.json['access_token']}"}
        way, path = sys.argv[1:]
        if way == "assets/import":
            # As a later version of the bundle is imported, which replaces this one.
            with open(path, "rb") as bundle:
                form = {"bundle": (bundle, "seatledger.zip")}
                answer = client.post("/api/v1/assets/import/", data=form, headers=token)
            assert answer.status_code == 200, answer.text
        listed = client.get("/api/v1/dataset/?q=(page_size:100)", headers=token).json["result"]
        charts = client.get("/api/v1/dashboard/seatledger/charts", headers=token).json["result"]
        print(f"Superset: {len(listed)} datasets and {len(charts)} charts imported")
        names = {chart["slice_name"] for chart in charts}
        assert names == set(WANTED), names ^ set(WANTED)
        for chart in charts:
            name = chart["slice_name"]
            data = client.get(f"/api/v1/chart/{chart['id']}/data/", headers=token)
            assert data.status_code == 200, f"{name}: {data.text}"
            rows = shown(data.json["result"][0])
            with database.cursor() as cursor:
                cursor.execute("set time zone 'UTC'")
                cursor.execute(WANTED[name])
                wanted = [tuple(plain(value) for value in row) for row in cursor]
            differing = set(rows) ^ set(wanted)
            assert len(rows) == len(wanted) and not differing, f"{name}: {list(differing)[:6]}"
            print(f"Superset: {name}: {len(rows)} rows, as SQL says")


main()
