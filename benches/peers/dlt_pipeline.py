"""The same job as a dlt pipeline: fetched by threads, as many as calls may be in flight, and
merged by key.

dlt_pipeline.py BASE_URL CUSTOMERS_FILE DATABASE_URL CONCURRENCY FOLDER

FOLDER is where dlt keeps the state of the pipeline for the next run.
"""

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

base, file, database, concurrency, folder = sys.argv[1:]
# dlt reads these when it is imported.
os.environ |= {
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    # COPY instead of inserts, which is faster here.
    "NORMALIZE__LOADER_FILE_FORMAT": "csv",
}

import dlt
import requests

local = threading.local()


def session():
    """One session for each thread, so that its connection is reused."""
    if not hasattr(local, "session"):
        local.session = requests.Session()
        local.session.headers["Authorization"] = "Bearer token"
    return local.session


def fetch(customer):
    answer = session().get(f"{base}/v1/customers/{customer}/analytics/licenses/usage")
    answer.raise_for_status()
    items = answer.json()["items"]
    for item in items:
        # Not a column of the ledger.
        del item["attributes"]
    return items


@dlt.resource(
    primary_key=("processed_date_time", "customer_id", "product_name", "workload_name"),
    write_disposition={"disposition": "merge", "strategy": "upsert"},
    columns={
        "processed_date_time": {"data_type": "timestamp"},
        "usage_percent": {"data_type": "double"},
    },
)
def license_usage():
    with open(file) as lines:
        customers = lines.read().split()
    with ThreadPoolExecutor(int(concurrency)) as threads:
        # Pages of a few thousand rows, as dlt's documentation advises.
        for first in range(0, len(customers), 200):
            yield [
                item
                for items in threads.map(fetch, customers[first : first + 200])
                for item in items
            ]


pipeline = dlt.pipeline(
    pipeline_name="ledger",
    pipelines_dir=folder,
    dataset_name="ledger",
    # dlt requires a password, even if the server asks for none.
    destination=dlt.destinations.postgres(database.replace("@", ":none@", 1)),
)
pipeline.run(license_usage)
