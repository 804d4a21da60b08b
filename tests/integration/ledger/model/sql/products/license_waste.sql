select *
from model_license_product
where product_kind = 'paid'
    and licenses_unused > 0
