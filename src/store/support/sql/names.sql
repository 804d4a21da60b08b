select customer_id, array_remove(array[customer_name, domain]::text[], null)
from customer
