select dataset, processed_date, service, first_seen_at
from model.first_seen
