select
    customer_id,
    customer_name,
    product_name,
    coalesce(licenses_sold, licenses_qualified) as seats,
    licenses_active as active,
    licenses_unused as unused
from license_waste
order by licenses_unused desc, customer_id, product_name
limit 12
