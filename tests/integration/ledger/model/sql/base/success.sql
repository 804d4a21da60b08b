-- The last success of each customer.
select customer_id, max(finished_at) as last_success_at
from sync_customer
where outcome = 'succeeded'
group by customer_id
