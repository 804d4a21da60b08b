select day::date as date
from model_reach
cross join generate_series(oldest, newest, interval '1 day') as day
