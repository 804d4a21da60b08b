select processed_date_time, customer_id, service, first_seen_at, run_id
from model.first_collection
