select
    old_product_name,
    new_product_name,
    customers,
    share_of_holders,
    since,
    alias_statement
from product_rename_suspect
order by customers desc, old_product_name
limit 100
