//! Recognises what documentation, consoles and templates put where a value is to be filled in. Only
//! what cannot be anybody's real value: a tenant may be named nearly anything.

use crate::ledger::{is_example_guid, parse_guid_leniently};

/// What a fault says of one.
pub(super) const PROBLEM: &str = "is still a placeholder";

/// Words that are nobody's secret or id, letters and digits only.
const WORDS: [&str; 22] = [
    "changeme",
    "changeit",
    "changethis",
    "replaceme",
    "replacethis",
    "fillin",
    "fillmein",
    "fillme",
    "todo",
    "fixme",
    "tbd",
    "null",
    "none",
    "undefined",
    "tenantid",
    "clientid",
    "clientsecret",
    "refreshtoken",
    "accesstoken",
    "yourtenant",
    "yourtenantonmicrosoftcom",
    "yourdomaincom",
];

/// Whether `text` stands where a tenant, an application or a secret is to be filled in.
pub(super) fn is_placeholder(text: &str) -> bool {
    let text = text.trim();
    let lower = text.to_lowercase();
    let letters: String = lower.chars().filter(char::is_ascii_alphanumeric).collect();
    // Longer texts are tokens, in which any letters may follow each other.
    let is_short = text.chars().count() <= 80;
    is_bracketed(text)
        || is_filler(&lower)
        || parse_guid_leniently(text).is_some_and(is_example_guid)
        || is_short
            && (lower.contains("placeholder")
                || WORDS.contains(&letters.as_str())
                || is_instruction(&lower))
}

/// As [`is_placeholder`], for an address whose parts may be to be filled in.
pub(super) fn is_placeholder_address(text: &str) -> bool {
    let text = text.trim();
    let (_, rest) = text.split_once("://").unwrap_or(("", text));
    let lower = rest.to_lowercase();
    // Words such as "none" may well be the name of a database.
    let mut parts = lower.split([':', '@', '/', '?', '&', '=', ',']);
    is_bracketed(text)
        || lower.contains("placeholder")
        || parts.any(|part| is_bracketed(part) || is_instruction(part) || is_filler(part))
}

/// Brackets around the whole, as in `<secret>`, `[YOUR-PASSWORD]` and `{your_password}`, and
/// variables that nothing has put a value in the place of: `${SECRET}`, `%SECRET%`, `#{secret}#`,
/// `{{ secret }}`, `$(secret)`.
fn is_bracketed(text: &str) -> bool {
    const BRACKETS: [(&str, &str); 7] = [
        ("<", ">"),
        ("[", "]"),
        ("{", "}"),
        ("${", "}"),
        ("$(", ")"),
        ("#{", "}#"),
        ("%", "%"),
    ];
    let inner = BRACKETS.iter().find_map(|(open, close)| {
        let inner = text.strip_prefix(open)?.strip_suffix(close)?;
        // A bracket that is closed and opened again within is part of something else.
        (!inner.contains(open) || *open == "{").then_some(inner)
    });
    // An IPv6 address in brackets has no letter beyond F.
    inner.is_some_and(|inner| {
        inner
            .chars()
            .any(|c| matches!(c.to_ascii_lowercase(), 'g'..='z'))
    }) || text.to_lowercase().starts_with("@microsoft.keyvault(")
}

/// Crosses, dots and asterisks: also of a value that a portal shows masked or cut.
fn is_filler(lower: &str) -> bool {
    let crosses = lower.chars().filter(|c| *c == 'x').count();
    let only_crosses = lower.chars().all(|c| matches!(c, 'x' | '-' | '_'));
    let only_dots = !lower.is_empty() && lower.chars().all(|c| matches!(c, '.' | '\u{2026}'));
    (crosses >= 3 && only_crosses)
        || only_dots
        || lower.ends_with("...")
        || lower.ends_with('\u{2026}')
        || is_masked(lower)
}

/// Whether it is what a portal shows in the place of a secret.
pub(super) fn is_masked(text: &str) -> bool {
    [
        "****",
        "\u{2022}\u{2022}\u{2022}",
        "\u{25cf}\u{25cf}\u{25cf}",
    ]
    .iter()
    .any(|mask| text.contains(mask))
}

/// `your-…`, `insert …` and `… here`. With a dot within it may be the name of a domain.
fn is_instruction(lower: &str) -> bool {
    const BEGINNINGS: [&str; 6] = ["your", "insert", "enter", "paste", "replace_with", "put"];
    let is_separator = |c: char| matches!(c, '-' | '_' | ' ');
    let begins = BEGINNINGS.iter().any(|word| {
        lower
            .strip_prefix(word)
            .is_some_and(|rest| rest.starts_with(is_separator))
    });
    let ends = lower
        .strip_suffix("here")
        .is_some_and(|rest| rest.ends_with(is_separator));
    (begins || ends) && !lower.contains('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_to_be_filled_in_is_recognised() {
        for text in [
            "PLACEHOLDER",
            "my-placeholder-secret",
            "<client secret>",
            "<YOUR-TENANT-ID>",
            "[YOUR-PASSWORD]",
            "{your_password}",
            "${CLIENT_SECRET}",
            "{{ client_secret }}",
            "$(ClientSecret)",
            "%CLIENT_SECRET%",
            "#{ClientSecret}#",
            "@Microsoft.KeyVault(SecretUri=https://x)",
            "your-client-secret",
            "YOUR_TENANT_ID",
            "yourtenant.onmicrosoft.com",
            "paste_token_here",
            "CLIENT-SECRET-HERE",
            "changeme",
            "CHANGE_ME",
            "TODO",
            "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx",
            "3hB*****************",
            "eyJ0eXAi...",
            "\u{2026}",
            "00000000-0000-0000-0000-000000000000",
            "11111111-2222-3333-4444-555555555555",
        ] {
            assert!(is_placeholder(text), "{text}");
        }
    }

    #[test]
    fn what_may_be_real_is_left_alone() {
        for text in [
            "contoso.onmicrosoft.com",
            "your-it.example.com",
            "2c0a7a1e-8a3f-4f0e-9f5e-0d6d3f0b7a11",
            "sim-secret",
            "abC8Q~dEf.gHi_jKl-mNoPqRsTuVwXyZ",
            "0.AXoAx-",
            "x",
            "",
        ] {
            assert!(!is_placeholder(text), "{text}");
        }
    }

    #[test]
    fn an_address_is_looked_at_part_by_part() {
        for text in [
            "postgres://seatledger:PLACEHOLDER@localhost/seatledger",
            "postgresql://postgres:[YOUR-PASSWORD]@db.example.com:5432/postgres",
            "postgres://ledger:{your_password}@x.postgres.database.azure.com/y?sslmode=require",
            "postgres://user:<password>@host/db",
            "postgres://user:${DB_PASSWORD}@host/db",
            "${DATABASE_URL}",
        ] {
            assert!(is_placeholder_address(text), "{text}");
        }
        for text in [
            "postgres://seatledger@localhost/seatledger",
            "postgres://todo:none@[::1]:5432/null",
            "postgres://a:b@[fe80::1]/x?host=%2Frun%2Fpostgresql",
            "postgres://changeme:changeme@db/x",
        ] {
            assert!(!is_placeholder_address(text), "{text}");
        }
    }
}
