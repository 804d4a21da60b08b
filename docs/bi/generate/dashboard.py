"""The charts of the Superset dashboard: the figures of the status address's front page.

Each chart asks one dataset for saved metrics and columns, so that it shows what their comments in
the database describe. None adds up what does not add up: charts by date have one point a day or
month and one line a workload, and figures of now are of datasets that have only those.
"""

from dataclasses import dataclass, field

PAID = ("product_kind", "==", "paid")
IS_NEWEST = ("is_newest", "IS TRUE", None)
FIGURE = {
    "subheader": "paid products, now",
    "header_font_size": 0.4,
    "subheader_font_size": 0.125,
    "y_axis_format": ",d",
}


@dataclass(frozen=True)
class Sql:
    """An expression that is no saved metric."""

    label: str
    expression: str


@dataclass(frozen=True)
class Chart:
    """`metrics` are names of saved metrics, or `Sql`. `order` is the metric whose largest value
    comes first; `width` is of twelve columns. A chart with `x` has one point for each of its
    values, and one line or row for each value of `columns`."""

    name: str
    description: str
    dataset: str
    kind: str
    metrics: tuple[str | Sql, ...]
    columns: tuple[str, ...] = ()
    filters: tuple[tuple[str, str, object], ...] = ()
    x: str | None = None
    grain: str = "P1D"
    time_range: str = "No filter"
    order: str | Sql | None = None
    where: str | None = None
    having: str | None = None
    limit: int = 50_000
    width: int = 12
    height: int = 50
    options: dict = field(default_factory=dict)


def figure(name: str, metric: str, description: str) -> Chart:
    return Chart(
        name,
        description,
        "license_product",
        "big_number_total",
        (metric,),
        filters=(PAID,),
        width=3,
        height=24,
        options=FIGURE,
    )


ROWS: tuple[tuple[Chart, ...], ...] = (
    (
        figure("Sold seats", "licenses_sold", "Seats of the subscriptions to paid products."),
        figure("Assigned seats", "licenses_assigned", "Sold seats of paid products with a user."),
        figure("Active seats", "licenses_active", "Of each product's most used workload."),
        Chart(
            "Unused seats",
            "Sold seats, or qualified ones where none is known to be sold, less active ones, of "
            "the paid products that have more: the sum of license_waste.",
            "license_product",
            "big_number_total",
            ("licenses_unused",),
            filters=(PAID, ("licenses_unused", ">", 0)),
            width=3,
            height=24,
            options=FIGURE,
        ),
    ),
    (
        Chart(
            "Active seats by workload and day",
            "One line for each workload, over the partner's paid products. Lines do not add up: a "
            "seat of a suite is counted at each of its workloads.",
            "license_usage_daily_total",
            "echarts_timeseries_line",
            ("licenses_active",),
            columns=("workload_name",),
            filters=(PAID,),
            x="date",
            time_range="Last 90 days",
            order="licenses_active",
        ),
    ),
    (
        Chart(
            "Active seats by workload at the ends of months",
            "One line for each workload, over paid products: the last day of each month. The month "
            "under way is left out.",
            "license_usage_daily_total",
            "echarts_timeseries_line",
            ("licenses_active",),
            columns=("workload_name",),
            filters=(PAID,),
            where="extract(day from date + 1) = 1",
            x="date",
            grain="P1M",
            time_range="Last 13 months",
            order="licenses_active",
            width=6,
        ),
        Chart(
            "Active and qualified seats by workload on the newest day",
            "The last point of the lines by day. Workloads do not add up.",
            "license_usage_daily_total",
            "table",
            ("licenses_active", "licenses_qualified"),
            columns=("workload_name",),
            filters=(PAID, IS_NEWEST),
            order="licenses_active",
            width=6,
        ),
    ),
    (
        Chart(
            "Completeness by service and day",
            "Which part of the customers that were to have figures have them: 1 is all.",
            "data_completeness",
            "heatmap_v2",
            (
                Sql(
                    "completeness",
                    "SUM(customers_stored)::float / NULLIF(SUM(customers_expected), 0)",
                ),
            ),
            columns=("service",),
            x="date",
            time_range="Last 91 days",
            height=40,
            options={
                "linear_color_scheme": "schemeRdYlBu",
                "normalize_across": "heatmap",
                "sort_x_axis": "alpha_asc",
                "sort_y_axis": "alpha_asc",
                "value_bounds": [0, 1],
                "y_axis_format": ".0%",
                "show_legend": True,
                "legend_type": "continuous",
            },
        ),
    ),
    (
        Chart(
            "What changed most within a week",
            "Active seats of a customer's product and workload, a week before the newest date and "
            "now. A product that was renamed without an id shows as one that ended and one that "
            "began.",
            "license_growth",
            "table",
            ("licenses_active_7d_ago", "licenses_active", "licenses_active_change_7d"),
            columns=("customer_name", "product_name", "workload_name"),
            filters=(("licenses_active_change_7d", "!=", 0),),
            order=Sql("size of the change", "ABS(SUM(licenses_active_change_7d))"),
            limit=1_000,
            width=6,
        ),
        Chart(
            "Paid products with unused seats",
            "Largest first: the rows of license_waste.",
            "license_product",
            "table",
            ("licenses_sold", "licenses_qualified", "licenses_active", "licenses_unused"),
            columns=("customer_name", "product_name"),
            filters=(PAID, ("licenses_unused", ">", 0)),
            order="licenses_unused",
            limit=1_000,
            width=6,
        ),
    ),
    (
        Chart(
            "Unused paid seats at the end of the newest month",
            "By product. Months do not add up, so there is only one of them.",
            "license_waste_monthly",
            "table",
            ("licenses_unused",),
            columns=("month", "product_name"),
            filters=(IS_NEWEST,),
            order="licenses_unused",
            width=6,
        ),
        Chart(
            "New, renamed and ended products",
            "Products that a customer got after its service began, or that no customer has any "
            "more, newest first. `replaces` is the old name of one that was renamed without an id.",
            "license_holding",
            "table",
            (
                Sql("first date", "MIN(first_date)"),
                Sql("last date", "MAX(last_date)"),
                Sql("customers ever", "COUNT(*)"),
                Sql("customers now", "COUNT(*) FILTER (WHERE is_current)"),
            ),
            columns=("product_name", "replaces"),
            order=Sql(
                "last event",
                "MAX(CASE WHEN is_current THEN first_date ELSE last_date END)",
            ),
            having="NOT BOOL_OR(is_from_the_start) OR NOT BOOL_OR(is_current)",
            limit=100,
            width=6,
        ),
    ),
    (
        Chart(
            "Customers by state",
            "In one word a customer, as seatledger status says it.",
            "customer_freshness",
            "table",
            (Sql("customers", "COUNT(*)"),),
            columns=("state",),
            order=Sql("customers", "COUNT(*)"),
            width=6,
            height=30,
        ),
        Chart(
            "Customers that need a person",
            "Those that are failing or stale, and why.",
            "customer_freshness",
            "table",
            (Sql("last success", "MAX(last_success_at)"),),
            columns=("customer_name", "state", "state_reason"),
            filters=(("state", "IN", ["failing", "stale"]),),
            limit=100,
            width=6,
            height=30,
        ),
    ),
)

CHARTS = tuple(chart for row in ROWS for chart in row)
TITLE = "Seatledger: seats and their use"


def metric(wanted: str | Sql) -> object:
    """As Superset stores it."""
    if isinstance(wanted, str):
        return wanted
    return {
        "expressionType": "SQL",
        "sqlExpression": wanted.expression,
        "label": wanted.label,
        "hasCustomLabel": True,
        "optionName": "metric_" + wanted.label.replace(" ", "_"),
    }


def params(chart: Chart) -> dict:
    """What the chart's editor shows."""
    wanted = [metric(one) for one in chart.metrics]
    known = {
        "viz_type": chart.kind,
        "adhoc_filters": adhoc_filters(chart),
        "row_limit": chart.limit,
        "color_scheme": "supersetColors",
        **chart.options,
    }
    if chart.kind == "table":
        known |= {
            "query_mode": "aggregate",
            "groupby": list(chart.columns),
            "metrics": wanted,
            "server_page_length": 10,
            "order_desc": True,
            "table_timestamp_format": "%Y-%m-%d",
        }
        if chart.order:
            known["timeseries_limit_metric"] = metric(chart.order)
    elif chart.kind == "heatmap_v2":
        known |= {"x_axis": chart.x, "groupby": chart.columns[0], "metric": wanted[0]}
        known["time_grain_sqla"] = chart.grain
    elif chart.kind == "echarts_timeseries_line":
        known |= {
            "x_axis": chart.x,
            "time_grain_sqla": chart.grain,
            "groupby": list(chart.columns),
            "metrics": wanted,
            "order_desc": True,
            "show_legend": True,
            "rich_tooltip": True,
            "x_axis_time_format": "smart_date",
            "y_axis_format": ",d",
        }
    else:
        known["metric"] = wanted[0]
    return known


def adhoc_filters(chart: Chart) -> list[dict]:
    filters = [
        {
            "clause": "WHERE",
            "expressionType": "SIMPLE",
            "subject": column,
            "operator": operator,
            "comparator": value,
        }
        for column, operator, value in chart.filters
    ]
    if chart.x:
        filters.append(
            {
                "clause": "WHERE",
                "expressionType": "SIMPLE",
                "subject": chart.x,
                "operator": "TEMPORAL_RANGE",
                "comparator": chart.time_range,
            }
        )
    for clause, expression in (("WHERE", chart.where), ("HAVING", chart.having)):
        if expression:
            filters.append(
                {"clause": clause, "expressionType": "SQL", "sqlExpression": expression}
            )
    return filters


def query_context(chart: Chart) -> dict:
    """The query as the chart's editor would send it. Alerts, reports and the API use it before a
    person has opened the chart."""
    columns: list[object] = list(chart.columns)
    filters: list[dict] = [
        {"col": column, "op": operator} | ({} if value is None else {"val": value})
        for column, operator, value in chart.filters
    ]
    if chart.x:
        axis = {
            "timeGrain": chart.grain,
            "columnType": "BASE_AXIS",
            "sqlExpression": chart.x,
            "label": chart.x,
            "expressionType": "SQL",
        }
        columns.insert(0, axis)
        filters.append({"col": chart.x, "op": "TEMPORAL_RANGE", "val": chart.time_range})
    query: dict[str, object] = {
        "columns": columns,
        "metrics": [metric(one) for one in chart.metrics],
        "filters": filters,
        "extras": {"having": chart.having or "", "where": chart.where or ""},
        "row_limit": chart.limit,
    }
    if chart.order:
        query["orderby"] = [[metric(chart.order), False]]
    return {
        # The import puts in the dataset's number.
        "datasource": {"id": 0, "type": "table"},
        "force": False,
        "queries": [query],
        "result_format": "json",
        "result_type": "full",
    }


def position(identities: list[str]) -> dict:
    """Where the charts are; `identities` are their uuids, in the order of `CHARTS`."""
    place: dict[str, object] = {
        "DASHBOARD_VERSION_KEY": "v2",
        "ROOT_ID": {"type": "ROOT", "id": "ROOT_ID", "children": ["GRID_ID"]},
        "GRID_ID": {
            "type": "GRID",
            "id": "GRID_ID",
            "parents": ["ROOT_ID"],
            "children": [f"ROW-{row}" for row in range(len(ROWS))],
        },
        "HEADER_ID": {"type": "HEADER", "id": "HEADER_ID", "meta": {"text": TITLE}},
    }
    at = 0
    for row, charts in enumerate(ROWS):
        above = ["ROOT_ID", "GRID_ID"]
        place[f"ROW-{row}"] = {
            "type": "ROW",
            "id": f"ROW-{row}",
            "parents": above,
            "children": [f"CHART-{at + n}" for n in range(len(charts))],
            "meta": {"background": "BACKGROUND_TRANSPARENT"},
        }
        for chart in charts:
            place[f"CHART-{at}"] = {
                "type": "CHART",
                "id": f"CHART-{at}",
                "parents": [*above, f"ROW-{row}"],
                "children": [],
                "meta": {
                    "chartId": at,
                    "uuid": identities[at],
                    "sliceName": chart.name,
                    "width": chart.width,
                    "height": chart.height,
                },
            }
            at += 1
    return place
