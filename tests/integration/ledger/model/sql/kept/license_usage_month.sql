-- One row per month and customer that the ledger has rows of; license_usage_monthly shows the rest.
select distinct month, customer_id
from model_usage
