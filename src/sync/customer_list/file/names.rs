//! The names that tools give to the column with the customers.

/// The words in such names. A word comes before its own prefixes.
const WORDS: [&str; 36] = [
    "microsoft365",
    "office365",
    "microsoft",
    "directory",
    "identifier",
    "customers",
    "mandanten",
    "customer",
    "contexts",
    "context",
    "default",
    "mandant",
    "tenants",
    "active",
    "tenant",
    "kunden",
    "office",
    "entra",
    "azure",
    "m365",
    "o365",
    "guid",
    "uuid",
    "aad",
    "the",
    "csp",
    "ids",
    "id",
    "ad",
    "of",
    "de",
    "da",
    "ms",
    "s",
    "e",
    "a",
];

/// Names that mean the customer only if no other column holds GUIDs.
const VAGUE: [&str; 8] = [
    "id",
    "guid",
    "uuid",
    "tenant",
    "tenants",
    "customer",
    "customers",
    "customertenant",
];

/// How certainly a name means the customer: 0 is the most certain. `None` if it does not.
pub(super) fn rank(name: &str) -> Option<usize> {
    let name = letters(name);
    let words = words(&name)?;
    let has = |some: &[&str]| words.iter().any(|word| some.contains(word));
    if !has(&["id", "ids", "guid", "uuid", "identifier"]) {
        return None;
    }
    let is_customer = has(&["customer", "customers", "kunden"]);
    let is_tenant = has(&["tenant", "tenants", "mandant", "mandanten"]);
    match () {
        () if name == "customerid" => Some(0),
        () if is_customer && is_tenant => Some(1),
        () if is_customer => Some(2),
        () if is_tenant => Some(3),
        () if has(&["microsoft", "directory"]) => Some(4),
        () => None,
    }
}

/// Whether the name may mean the customer.
pub(super) fn is_vague(name: &str) -> bool {
    VAGUE.contains(&letters(name).as_str())
}

/// The letters and digits in lower case, without a part in brackets at the end.
fn letters(name: &str) -> String {
    let inside = name
        .trim_end()
        .strip_suffix(')')
        .and_then(|name| name.rsplit_once('('));
    let name = inside.map_or(name, |(name, _)| name);
    let letters = name.chars().filter(|c| c.is_alphanumeric());
    letters.flat_map(char::to_lowercase).collect()
}

/// The words of a name. `None` if one of them is not in the list, such as "partner" or
/// "subscription".
fn words(name: &str) -> Option<Vec<&'static str>> {
    let mut rest = name;
    let mut words = Vec::new();
    while !rest.is_empty() {
        let word = WORDS.iter().find(|word| rest.starts_with(**word))?;
        rest = &rest[word.len()..];
        words.push(*word);
    }
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_in_use_are_known_however_they_are_spelt() {
        for name in [
            "customer_id",
            "CustomerId",
            "CUSTOMER-ID",
            "Customer tenant ID",
            "customerTenantId",
            "Customer's Tenant Id (GUID)",
            "customer.tenantId",
            "Microsoft ID",
            "Microsoft-ID",
            "ID de Microsoft",
            "TenantId",
            "Tenant ID",
            "defaultTenantId",
            "CustomerContextId",
            "Azure AD tenant ID",
            "Entra tenant id",
            "Microsoft 365 Tenant Id",
            "Directory (tenant) ID",
            "Kunden-ID",
            "Mandanten-ID",
        ] {
            assert!(rank(name).is_some(), "{name}");
        }
        for name in [
            "",
            "id",
            "Customer",
            "Customer name",
            "Partner tenant ID",
            "Subscription ID",
            "customer subscription id",
            "Client ID",
            "ObjectId",
            "Domain",
            "Idea",
        ] {
            assert_eq!(rank(name), None, "{name}");
        }
        assert!(rank("customer_id") < rank("customerTenantId"));
        assert!(rank("customerTenantId") < rank("TenantId"));
        assert!(rank("TenantId") < rank("Microsoft ID"));
    }
}
