-- Twenty questions of a partner, each answered by one statement. The demo shows four of them.
-- Growth leaves out figures that are over two weeks behind their service: of these customers it is
-- not known what they had since.

-- 1. How many seats does the partner have of each product, and how many are in use?
select product_name, count(*) as customers, sum(licenses_qualified) as seats,
    sum(licenses_active) as active, sum(licenses_unused) as unused
from license_product group by product_name order by seats desc nulls last, product_name limit 10;

-- 2. How have active seats grown within a week, a month and a quarter?
select workload_name, sum(licenses_active) as active, sum(licenses_active_change_7d) as in_7_days,
    sum(licenses_active_change_30d) as in_30_days, sum(licenses_active_change_91d) as in_91_days
from license_growth where coalesce(days_behind, 0) <= 14
group by workload_name order by active desc limit 10;

-- 3. Which customers are the furthest below the target for Teams?
select customer_name, licenses_qualified as seats, licenses_active as active,
    round((100 * active_ratio)::numeric, 1) as percent, licenses_to_target as to_target
from license_adoption where workload_name = 'Teams' and not meets_target
order by licenses_to_target desc, customer_id limit 5;

-- 4. Where have active seats moved most within a week, up or down?
select customer_name, product_name, workload_name, licenses_active_7d_ago as week_ago,
    licenses_active as active, licenses_active_change_7d as change
from license_growth where coalesce(days_behind, 0) <= 14
order by abs(licenses_active_change_7d) desc nulls last, customer_id, product_name, 3 limit 5;

-- 5. How many paid seats are unused, and how has that changed from month to month?
select month, count(distinct customer_id) as customers, sum(licenses_unused) as unused,
    bool_or(is_newest) as is_newest
from license_waste_monthly group by month order by month;

-- 6. Which customers have come, gone or ended within 90 days?
select customer_name, state, first_usage_date, last_usage_date, gone_date, returned_date
from customer_lifecycle where greatest(gone_date, returned_date) > current_date - 90
    or (state = 'ended' and last_usage_date > current_date - 90) or first_usage_date
    > greatest(current_date - 90, (select min(first_usage_date) + 7 from customer_lifecycle))
order by greatest(first_usage_date, gone_date, returned_date) desc, customer_id limit 10;

-- 7. Which products have come to a customer within 90 days, and not only under a new name?
select customer_name, product_name, first_date, is_current
from license_holding
where not is_from_the_start and replaces is null and first_date > current_date - 90
order by first_date desc, customer_id, product_name limit 10;

-- 8. Whose figures are not fresh, and why?
select customer_name, state, age_days, state_reason
from customer_freshness where state not in ('active', 'gone')
order by age_days desc nulls first, customer_id limit 5;

-- 9. On which of the last 30 days are figures missing, and how many?
select date, service, state, customers_stored, customers_expected
from data_completeness where state <> 'complete' and date > current_date - 30
order by date desc, service;

-- 10. Which figures have been corrected since they came?
select customer_name, product_name, workload_name, processed_date,
    old_licenses_active, new_licenses_active, restated_at
from license_usage_restatement order by restated_at desc, restatement_id desc limit 10;

-- 11. Which products seem to have been renamed, with no id that says so?
select old_product_name, new_product_name, customers, since, alias_statement
from product_rename_suspect order by customers desc, old_product_name;

-- 12. How many seats are sold, assigned to people and in use?
select product_name, sum(licenses_sold) as sold, sum(licenses_assigned) as assigned,
    sum(licenses_active) as active, sum(licenses_unassigned) as unassigned
from license_product where licenses_sold is not null
group by product_name order by sold desc limit 10;

-- 13. Where are the most paid seats that nobody uses?
select customer_name, product_name, licenses_sold as sold, licenses_qualified as qualified,
    licenses_active as active, licenses_unused as unused
from license_waste order by licenses_unused desc, customer_id, product_name limit 5;

-- 14. What were the seats of Exchange at the end of each month?
select month, sum(licenses_qualified) as seats, sum(licenses_active) as active,
    bool_and(is_month_over) as is_month_over
from license_usage_total where workload_name = 'Exchange' group by month order by month;

-- 15. What was in force a week ago although no figures came for that day?
select customer_name, product_name, workload_name, licenses_active, processed_date, days_carried
from license_usage_daily where date = current_date - 7 and is_carried
order by customer_id, product_name, workload_name limit 10;

-- 16. How does the largest customer stand, product by product?
select product_name, licenses_qualified as seats, licenses_active as active, most_used_workload,
    licenses_unused as unused, processed_date
from license_product where customer_id = (select customer_id from license_product
    group by 1 order by sum(licenses_qualified) desc nulls last limit 1) order by product_name;

-- 17. How do seats compare with a year ago?
select product_name, workload_name, sum(licenses_active_365d_ago) as year_ago,
    sum(licenses_active) as active, sum(licenses_active_change_365d) as change
from license_growth where coalesce(days_behind, 0) <= 14
group by product_name, workload_name order by active desc, product_name, workload_name limit 10;

-- 18. How much is in use without free and trial products?
select product_kind, count(distinct product_name) as products, sum(licenses_qualified) as seats,
    sum(licenses_active) as active, sum(licenses_unused) as unused
from license_product where product_kind = 'paid' group by product_kind;

-- 19. How do seats divide among channels and services?
select channel, service, count(distinct customer_id) as customers,
    sum(licenses_qualified) as seats, sum(licenses_active) as active
from license_product group by channel, service order by seats desc nulls last;

-- 20. What is the daily line of active seats of Teams?
select date, sum(licenses_active) as active, sum(licenses_qualified) as seats,
    bool_or(is_newest) as is_newest
from license_usage_daily_total where workload_name = 'Teams' and date > current_date - 30
group by date order by date;
