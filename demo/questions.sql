-- Typical questions of a partner, answered from the views. Run by the demo; examples for your own.
\set QUIET on
\pset footer off
\pset null '-'

\echo '1. Who pays for Teams and does not use it? (license_usage_latest)'
select
    customer_name as customer,
    sum(licenses_qualified) as seats,
    sum(licenses_active) as active,
    round(100.0 * sum(licenses_active) / nullif(sum(licenses_qualified), 0), 1) as percent
from license_usage_latest
where workload_name = 'Teams'
    and processed_date_time > now() - interval '14 days'
group by customer_id, customer_name
having sum(licenses_qualified) >= 10
order by percent
limit 5;

\echo '2. Where did use grow or shrink most within 30 days? (license_usage_change)'
with growth as (
    select
        customer_id,
        customer_name as customer,
        product_name as product,
        workload_name as workload,
        sum(licenses_active_change) as change
    from license_usage_change
    where processed_date_time > now() - interval '30 days'
    group by customer_id, customer_name, product_name, workload_name
)

(select customer, product, workload, change from growth order by change desc limit 3)
union all
(select customer, product, workload, change from growth order by change limit 3)
order by change desc;

\echo '3. Whose figures are going stale, and why? (customer_freshness)'
select
    customer_name as customer,
    last_processed_date_time::date as newest_figures,
    age(current_date, last_processed_date_time::date) as age,
    last_failure_reason as reason,
    left(last_failure_detail, 60) as detail
from customer_freshness
order by last_success_at, age desc
limit 3;
