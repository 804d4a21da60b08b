"""Makes four charts in Superset and compares what they show with SQL."""

import json
import os
from dataclasses import dataclass

import psycopg2
from superset.app import create_app


@dataclass(frozen=True)
class Chart:
    """A chart of one metric of a dataset, and the SQL that gives the sum of what it shows."""

    name: str
    dataset: str
    kind: str
    by: tuple[str, ...]
    metric: str
    sql: str
    filters: tuple[tuple[str, str, object], ...] = ()


CHARTS = (
    Chart(
        "Unused paid seats by product",
        "license_product",
        "table",
        ("product_name",),
        "licenses_unused",
        "select sum(licenses_unused) from license_product where product_kind = 'paid'",
        (("product_kind", "==", "paid"),),
    ),
    Chart(
        "Active seats of Teams by day",
        "license_usage_daily_total",
        "echarts_timeseries_line",
        ("date",),
        "licenses_active",
        "select sum(licenses_active) from license_usage_daily_total where workload_name = 'Teams'",
        (("workload_name", "==", "Teams"),),
    ),
    Chart(
        "Growth in 30 days by customer",
        "license_growth",
        "dist_bar",
        ("customer_name",),
        "licenses_active_change_30d",
        "select sum(licenses_active_change_30d) from license_growth",
    ),
    Chart(
        "Stored collections by service",
        "data_completeness",
        "pie",
        ("service",),
        "customers_stored",
        "select sum(customers_stored) from data_completeness",
    ),
)


def context(chart: Chart, dataset: int) -> dict:
    return {
        "datasource": {"id": dataset, "type": "table"},
        "queries": [
            {
                "columns": list(chart.by),
                "metrics": [chart.metric],
                "filters": [{"col": c, "op": op, "val": v} for c, op, v in chart.filters],
                "row_limit": 50000,
            }
        ],
        "result_format": "json",
        "result_type": "full",
    }


def main() -> None:
    database = psycopg2.connect(os.environ["BI_URL"])
    with create_app().test_client() as client:
        login = {"username": "admin", "password": "admin", "provider": "db", "refresh": False}
        answer = client.post("/api/v1/security/login", json=login)
        token = {"Authorization": f"Bearer {answer.json['access_token']}"}
        listed = client.get("/api/v1/dataset/?q=(page_size:100)", headers=token).json["result"]
        datasets = {dataset["table_name"]: dataset["id"] for dataset in listed}
        print(f"Superset: {len(datasets)} datasets imported")
        for chart in CHARTS:
            dataset = datasets[chart.dataset]
            made = {
                "slice_name": chart.name,
                "viz_type": chart.kind,
                "datasource_id": dataset,
                "datasource_type": "table",
                "params": json.dumps({"viz_type": chart.kind}),
                "query_context": json.dumps(context(chart, dataset)),
            }
            answer = client.post("/api/v1/chart/", json=made, headers=token)
            assert answer.status_code == 201, answer.text
            data = client.get(f"/api/v1/chart/{answer.json['id']}/data/", headers=token)
            assert data.status_code == 200, data.text
            rows = data.json["result"][0]["data"]
            shown = sum(row[chart.metric] or 0 for row in rows)
            with database.cursor() as cursor:
                cursor.execute(chart.sql)
                wanted = int(cursor.fetchone()[0] or 0)
            assert rows and shown == wanted, f"{chart.name}: {shown} shown, {wanted} by SQL"
            print(f"Superset: {chart.name}: {len(rows)} points, {shown:,} in all, as SQL says")


main()
