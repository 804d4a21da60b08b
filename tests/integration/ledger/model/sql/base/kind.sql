-- What kind of product each present name is.
select present_name, model.product_kind(present_name) as product_kind
from (
    select present_name from model_usage
    union
    select present_name from model_deployment
) as product
