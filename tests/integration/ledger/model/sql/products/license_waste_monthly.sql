select *
from model_license_product_monthly
where product_kind = 'paid'
    and licenses_unused > 0
