//! Their JSON, member by member. Lenient: unknown members are skipped, letter case does not matter,
//! everything may be absent. Values stay raw JSON text here; [`super::decode`] judges them.

use std::borrow::Cow;
use std::fmt;
use std::ops::ControlFlow;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::partner_center::decode::cursor::Reader;

/// The text of one JSON value, without blanks around it.
#[derive(Debug, Clone, Copy)]
pub(in crate::partner_center) struct Json<'a> {
    json: &'a str,
    /// Whether it is known to be a text without escapes.
    is_plain_text: bool,
}

impl<'a> Json<'a> {
    /// For who has made sure that it is one.
    pub(in crate::partner_center) fn new(json: &'a str) -> Self {
        Self {
            json,
            is_plain_text: false,
        }
    }

    /// For who has made sure that it is a text without escapes.
    pub(in crate::partner_center) fn plain_text(json: &'a str) -> Self {
        Self {
            json,
            is_plain_text: true,
        }
    }

    pub(in crate::partner_center) fn get(self) -> &'a str {
        self.json
    }

    pub(in crate::partner_center) fn is_text(self) -> bool {
        self.json.starts_with('"')
    }

    /// What a text says; none where it is another value, or holds half of a character that takes
    /// two.
    pub(in crate::partner_center) fn as_text(self) -> Option<Cow<'a, str>> {
        let inner = self.json.strip_prefix('"')?.strip_suffix('"')?;
        if !self.is_plain_text && inner.contains('\\') {
            serde_json::from_str(self.json).ok().map(Cow::Owned)
        } else {
            Some(Cow::Borrowed(inner))
        }
    }
}

impl<'de> Deserialize<'de> for Json<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <&RawValue>::deserialize(deserializer).map(|value| Self::new(value.get()))
    }
}

/// A member's value as it came; `None` where the member is missing or null.
pub(in crate::partner_center) type Raw<'a> = Option<Json<'a>>;

/// Members of a JSON object, as declared.
pub(in crate::partner_center) trait Members<'a>:
    Default + Deserialize<'a>
{
    /// Notes a member's value.
    fn set(&mut self, member: &str, value: Json<'a>);

    /// Reads the next value, if it is an object that can be read in one pass.
    fn read_plain(reader: &mut Reader<'a>) -> Option<Self> {
        let mut object = Self::default();
        reader.object(|reader, member| {
            object.set(member, reader.value()?);
            Some(())
        })?;
        Some(object)
    }

    /// Reads an object; none where it is something else, or a member's name holds half of a
    /// character.
    fn read(json: &'a str) -> Option<Self> {
        let mut reader = Reader::new(json);
        Self::read_plain(&mut reader)
            .filter(|_| reader.is_at_end())
            .or_else(|| serde_json::from_str(json).ok())
    }
}

/// Declares a struct of raw members, read from a JSON object without regard to letter case.
/// A member that comes twice counts as its last occurrence, as in most JSON readers.
macro_rules! raw_object {
    ($(#[$doc:meta])* $name:ident { $($field:ident: $member:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Default)]
        pub(in crate::partner_center) struct $name<'a> { $(pub(in crate::partner_center) $field: Raw<'a>,)* }

        impl<'a> Members<'a> for $name<'a> {
            fn set(&mut self, member: &str, value: Json<'a>) {
                let value = (value.get() != "null").then_some(value);
                // Nearly all are written as documented.
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
                    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                        let mut object = $name::default();
                        while let Some(Name(member)) = map.next_key()? {
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
    /// more than one way, and the way to the next page has more spellings than any of it:
    /// [`crate::partner_center::decode::next`] reads those.
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
    /// Whose a row of a partner-wide collection is.
    Owner { customer_tenant_id: "customerTenantId", }
}

raw_object! {
    /// One row of a usage or deployment collection.
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
        // So spelt in the documented sample of the partner-wide collection.
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
    /// A row of the customers' list.
    Customer {
        id: "id",
        company_profile: "companyProfile",
    }
}

raw_object! {
    /// What the customers' list knows of a customer.
    CompanyProfile {
        tenant_id: "tenantId",
        company_name: "companyName",
        domain: "domain",
    }
}

/// Shows a list's items one by one, until `look` has seen enough. A list of all of them would take
/// many times the memory of their text where they are small.
///
/// # Errors
/// When `list` is no list.
pub(in crate::partner_center) fn for_each<'a>(
    list: Json<'a>,
    look: impl FnMut(Json<'a>) -> ControlFlow<()>,
) -> serde_json::Result<ControlFlow<()>> {
    struct Items<'b, F> {
        look: F,
        has_enough: &'b mut bool,
    }
    impl<'de, F: FnMut(Json<'de>) -> ControlFlow<()>> Visitor<'de> for Items<'_, F> {
        type Value = ();
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list")
        }
        fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
            while let Some(item) = list.next_element()? {
                if (self.look)(item).is_break() {
                    *self.has_enough = true;
                    // Otherwise the rest of the list would be gone over.
                    return Err(A::Error::custom("enough"));
                }
            }
            Ok(())
        }
    }
    let mut has_enough = false;
    let items = Items {
        look,
        has_enough: &mut has_enough,
    };
    let ended = serde_json::Deserializer::from_str(list.get()).deserialize_seq(items);
    if has_enough {
        return Ok(ControlFlow::Break(()));
    }
    ended.map(ControlFlow::Continue)
}

/// A member's name, borrowed unless it was written with escapes.
struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Name<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a member name")
            }
            fn visit_borrowed_str<E: Error>(self, name: &'de str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Borrowed(name)))
            }
            fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Owned(name.to_owned())))
            }
        }
        deserializer.deserialize_str(Text)
    }
}
