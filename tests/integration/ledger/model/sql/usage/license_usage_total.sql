select
    month,
    present_name as product_name,
    present_workload as workload_name,
    count(distinct customer_id) as customers,
    sum(licenses_active) as licenses_active,
    sum(licenses_qualified) as licenses_qualified,
    100.0 * sum(licenses_active) / nullif(sum(licenses_qualified), 0) as active_percent,
    bool_and(is_month_over) as is_month_over,
    bool_and(is_newest) as is_newest
from model_license_usage_monthly
where is_month_end
group by month, present_name, present_workload
