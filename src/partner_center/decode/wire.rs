//! The objects of the API, member by member. Lenient: unknown members are skipped, letter case is
//! ignored, everything may be absent. Values stay JSON text here; `field` and `item` judge them.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};

use crate::partner_center::decode::cursor::JsonCursor;
use crate::partner_center::decode::json::Json;

/// A member's value; `None` if the member is missing or null.
pub(in crate::partner_center) type Raw<'a> = Option<Json<'a>>;

/// A struct that is filled from the members of a JSON object.
pub(in crate::partner_center) trait Members<'a>:
    Default + Deserialize<'a>
{
    /// Sets a member's value; an unknown member is ignored.
    fn set(&mut self, member: &str, value: Json<'a>);

    /// Reads the object at the cursor; `None` if the cursor cannot.
    fn read_at(cursor: &mut JsonCursor<'a>) -> Option<Self> {
        let mut object = Self::default();
        cursor.object(|cursor, member| {
            object.set(member, cursor.value()?);
            Some(())
        })?;
        Some(object)
    }

    /// Reads an object; `None` for any other value, and if a member's name holds an unpaired
    /// surrogate.
    fn read(json: &'a str) -> Option<Self> {
        let mut cursor = JsonCursor::new(json);
        Self::read_at(&mut cursor)
            .filter(|_| cursor.is_at_end())
            .or_else(|| serde_json::from_str(json).ok())
    }
}

/// Declares a struct of raw members. Names are compared without regard to letter case. Of a member
/// that occurs twice the last occurrence counts, as in most JSON parsers.
macro_rules! raw_object {
    ($(#[$doc:meta])* $name:ident { $($field:ident: $member:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Default)]
        pub(in crate::partner_center) struct $name<'a> {
            $(pub(in crate::partner_center) $field: Raw<'a>,)*
        }

        impl<'a> Members<'a> for $name<'a> {
            fn set(&mut self, member: &str, value: Json<'a>) {
                let value = (value.get() != "null").then_some(value);
                // Nearly all are spelt as documented, and equality is the cheaper comparison.
                $(if member == $member { self.$field = value; return; })*
                $(if member.eq_ignore_ascii_case($member) { self.$field = value; return; })*
            }
        }

        impl<'de> Deserialize<'de> for $name<'de> {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Object;
                impl<'de> Visitor<'de> for Object {
                    type Value = $name<'de>;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str("a JSON object")
                    }
                    fn visit_map<A: MapAccess<'de>>(
                        self,
                        mut map: A,
                    ) -> Result<Self::Value, A::Error> {
                        let mut object = $name::default();
                        while let Some(MemberName(member)) = map.next_key()? {
                            object.set(&member, map.next_value()?);
                        }
                        Ok(object)
                    }
                }
                deserializer.deserialize_map(Object)
            }
        }
    };
}

raw_object! {
    /// One page of any list, or a fault in its place. The documentation spells several members in
    /// more than one way; the link to the next page has the most spellings, which `next` reads.
    Envelope {
        items: "items",
        value: "value",
        total_count: "totalCount",
        links: "links",
        hal_links: "_links",
        paging: "paging",
        pagination: "pagination",
        next: "next",
        next_link: "nextLink",
        at_next_link: "@nextLink",
        odata_next_link: "@odata.nextLink",
        old_odata_next_link: "odata.nextLink",
        snake_next_link: "next_link",
        next_page: "nextPage",
        next_page_link: "nextPageLink",
        next_url: "nextUrl",
        next_uri: "nextUri",
        continuation_token: "continuationToken",
        snake_continuation_token: "continuation_token",
        next_token: "nextToken",
        next_page_token: "nextPageToken",
        skip_token: "skipToken",
        has_more: "hasMore",
        has_next: "hasNext",
        has_next_page: "hasNextPage",
        has_more_results: "hasMoreResults",
        more_results: "moreResults",
        is_truncated: "isTruncated",
        code: "code",
        description: "description",
        message: "message",
        error: "error",
        errors: "errors",
        error_description: "error_description",
        error_code: "errorCode",
        fault: "fault",
        status_code: "statusCode",
        title: "title",
    }
}

raw_object! {
    /// The owner of an item of a partner-wide collection.
    ItemOwner { customer_tenant_id: "customerTenantId", }
}

raw_object! {
    /// One item of a usage or deployment collection.
    Item {
        customer_id: "customerId",
        customer_tenant_id: "customerTenantId",
        customer_name: "customerName",
        product_id: "productId",
        product_name: "productName",
        workload_code: "workloadCode",
        workload_name: "workloadName",
        service_code: "serviceCode",
        service_name: "serviceName",
        channel: "channel",
        licenses_active: "licensesActive",
        // The spelling in the documented sample of the partner-wide collection.
        license_active: "licenseActive",
        licenses_qualified: "licensesQualified",
        usage_percent: "usagePercent",
        licenses_deployed: "licensesDeployed",
        licenses_sold: "licensesSold",
        deployment_percent: "deploymentPercent",
        processed_date_time: "processedDateTime",
    }
}

raw_object! {
    /// An entry of the list of customers.
    CustomerEntry {
        id: "id",
        company_profile: "companyProfile",
    }
}

raw_object! {
    /// The details of a customer in the list of customers.
    CompanyProfile {
        tenant_id: "tenantId",
        company_name: "companyName",
        domain: "domain",
    }
}

/// A member's name, borrowed unless it contains escapes.
struct MemberName<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for MemberName<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameVisitor;
        impl<'de> Visitor<'de> for NameVisitor {
            type Value = MemberName<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a member name")
            }
            fn visit_borrowed_str<E: Error>(self, name: &'de str) -> Result<Self::Value, E> {
                Ok(MemberName(Cow::Borrowed(name)))
            }
            fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
                Ok(MemberName(Cow::Owned(name.to_owned())))
            }
        }
        deserializer.deserialize_str(NameVisitor)
    }
}
