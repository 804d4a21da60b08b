-- The newest date and the oldest of all services.
select
    min(processed_date) as oldest,
    max(processed_date) as newest
from model_usage
