//! Recognises placeholders of documentation, consoles and templates. A text that could be a real
//! value is never taken for one: a tenant may have nearly any name.

use crate::ledger::{is_example_guid, parse_guid_leniently};

/// What is wrong with a placeholder.
pub(in crate::config) const PROBLEM: &str = "is still a placeholder";

/// The maximum length of a placeholder in characters. Longer texts are not searched for the words
/// of placeholders: they are tokens, which may contain any word by chance.
const MAX_PLACEHOLDER_CHARS: usize = 80;

/// Words that are never a secret or an ID, reduced to letters and digits.
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

/// Whether `text` is a placeholder for a tenant, an application or a secret.
pub(in crate::config) fn is_placeholder(text: &str) -> bool {
    let text = text.trim();
    let lower = text.to_lowercase();
    let letters: String = lower.chars().filter(char::is_ascii_alphanumeric).collect();
    let is_short = text.chars().count() <= MAX_PLACEHOLDER_CHARS;
    is_bracketed(text)
        || is_filler(&lower)
        || parse_guid_leniently(text).is_some_and(is_example_guid)
        || is_short
            && (lower.contains("placeholder")
                || WORDS.contains(&letters.as_str())
                || is_instruction(&lower))
}

/// Whether `text` is a database URL of which a part is a placeholder.
pub(in crate::config) fn is_placeholder_address(text: &str) -> bool {
    let text = text.trim();
    let (_, rest) = text.split_once("://").unwrap_or(("", text));
    let lower = rest.to_lowercase();
    // Words such as "none" do not count here: they may be the name of a database.
    let mut parts = lower.split([':', '@', '/', '?', '&', '=', ',']);
    is_bracketed(text)
        || lower.contains("placeholder")
        || parts.any(|part| is_bracketed(part) || is_instruction(part) || is_filler(part))
}

/// Whether the whole text is in brackets, as in `<secret>`, `[YOUR-PASSWORD]` and
/// `{your_password}`, or is a variable that was not substituted: `${SECRET}`, `%SECRET%`,
/// `#{secret}#`, `{{ secret }}`, `$(secret)`.
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
        // With a second opening bracket inside, the outer two may not belong together.
        (!inner.contains(open) || *open == "{").then_some(inner)
    });
    // An IPv6 address in brackets has no letter after F.
    inner.is_some_and(|inner| {
        inner
            .chars()
            .any(|c| matches!(c.to_ascii_lowercase(), 'g'..='z'))
    }) || text.to_lowercase().starts_with("@microsoft.keyvault(")
}

/// Whether the text consists of crosses or dots, or is a value that a portal shows masked or cut.
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

/// Whether the text is a masked secret, as portals show it.
pub(in crate::config) fn is_masked(text: &str) -> bool {
    [
        "****",
        "\u{2022}\u{2022}\u{2022}",
        "\u{25cf}\u{25cf}\u{25cf}",
    ]
    .iter()
    .any(|mask| text.contains(mask))
}

/// Whether the text reads `your-…`, `insert …` or `… here`. With a dot it may be a domain name.
fn is_instruction(lower: &str) -> bool {
    const PREFIXES: [&str; 6] = ["your", "insert", "enter", "paste", "replace_with", "put"];
    let is_separator = |c: char| matches!(c, '-' | '_' | ' ');
    let begins = PREFIXES.iter().any(|word| {
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
    fn placeholders_are_recognised() {
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
    fn possible_real_values_are_not_placeholders() {
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
    fn each_part_of_a_url_is_examined() {
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
