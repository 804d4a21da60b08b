"""The script that a competent engineer would write instead: aiohttp fetches, asyncpg stores.

Some tasks fetch, as many as calls may be in flight. Whatever is ready goes into the database
together, as arrays through one statement in one transaction, so that a commit is not paid per
customer. What is unchanged is not written.

aiohttp_asyncpg.py BASE_URL CUSTOMERS_FILE DATABASE_URL CONCURRENCY
"""

import asyncio
import sys
from datetime import datetime
from uuid import UUID

import aiohttp
import asyncpg

# The maximum number of customers in one transaction.
BATCH = 64

UPSERT = """
insert into license_usage as k (
    processed_date_time, customer_id, product_name, workload_name,
    customer_name, service_name, channel,
    licenses_active, licenses_qualified, usage_percent, first_synced_at, last_changed_at, run_id
)
select *, now(), now(), 1
from unnest(
    $1::timestamptz[], $2::uuid[], $3::varchar[], $4::varchar[],
    $5::varchar[], $6::varchar[], $7::varchar[],
    $8::bigint[], $9::bigint[], $10::double precision[]
)
on conflict (processed_date_time, customer_id, product_name, workload_name) do update
set customer_name = excluded.customer_name,
    service_name = excluded.service_name,
    channel = excluded.channel,
    licenses_active = excluded.licenses_active,
    licenses_qualified = excluded.licenses_qualified,
    usage_percent = excluded.usage_percent,
    last_changed_at = excluded.last_changed_at,
    run_id = excluded.run_id
where (
        k.customer_name, k.service_name, k.channel,
        k.licenses_active, k.licenses_qualified, k.usage_percent
    )
    is distinct from (
        excluded.customer_name, excluded.service_name, excluded.channel,
        excluded.licenses_active, excluded.licenses_qualified, excluded.usage_percent
    )
"""


async def fetch(session, customers, ready):
    for customer in customers:
        async with session.get(f"/v1/customers/{customer}/analytics/licenses/usage") as answer:
            answer.raise_for_status()
            collection = await answer.json()
        key = UUID(customer)
        rows = [
            (
                datetime.fromisoformat(item["processedDateTime"]),
                key,
                item["productName"],
                item["workloadName"],
                item["customerName"],
                item["serviceName"],
                item["channel"],
                item["licensesActive"],
                item["licensesQualified"],
                item["usagePercent"],
            )
            for item in collection["items"]
        ]
        await ready.put(rows)


async def store(pool, ready):
    """Stores customers until the queue yields None."""
    is_end = False
    while not is_end:
        customers = [await ready.get()]
        while len(customers) < BATCH and not ready.empty():
            customers.append(ready.get_nowait())
        is_end = customers[-1] is None
        rows = [row for customer in customers if customer is not None for row in customer]
        if rows:
            await pool.execute(UPSERT, *map(list, zip(*rows)))


async def fetch_all(session, customers, ready, concurrency):
    # The tasks share one iterator, so each customer is fetched once.
    await asyncio.gather(*(fetch(session, customers, ready) for _ in range(concurrency)))
    await ready.put(None)


async def main(base, file, database, concurrency):
    with open(file) as lines:
        customers = iter(lines.read().split())
    ready = asyncio.Queue(maxsize=4 * BATCH)
    connector = aiohttp.TCPConnector(limit=concurrency)
    headers = {"Authorization": "Bearer token", "Accept": "application/json"}
    async with (
        asyncpg.create_pool(database, min_size=1, max_size=1) as pool,
        aiohttp.ClientSession(base, connector=connector, headers=headers) as session,
    ):
        await asyncio.gather(fetch_all(session, customers, ready, concurrency), store(pool, ready))


base, file, database, concurrency = sys.argv[1:]
asyncio.run(main(base, file, database, int(concurrency)))
