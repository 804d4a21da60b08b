//! Takes out of a bundle what names somebody or opens something. Pure.

use std::collections::HashMap;

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use uuid::Uuid;

use crate::printable::printable;

/// Members whose text others have written: the API, the sign-in service, the database.
const DETAILS: [&str; 2] = ["detail", "fault"];

/// Members with GUIDs that name nobody.
const KEPT_IDS: [&str; 2] = ["ms_request_id", "ms_correlation_id"];

/// The members with the name of a host.
const HOST: &str = "host";

/// Shorter names are left: they would be found in ordinary words.
const MIN_NAME_CHARS: usize = 3;

/// Of a name that is cut off at the end of a text, so many characters are recognised.
const MIN_CUT_CHARS: usize = 4;

/// Domains that name nobody.
const PUBLIC_DOMAINS: [&str; 5] = [
    "microsoft.com",
    "microsoftonline.com",
    "microsoftonline.us",
    "microsoftonline.cn",
    "windows.net",
];

const REMOVED: &str = "(removed)";

/// Replaces secrets, ids and names, the same by the same throughout.
pub(super) struct BundleRedactor {
    secrets: Vec<SecretString>,
    /// Each in lower case, the longest first.
    names: Vec<Vec<char>>,
    customers: HashMap<Uuid, Option<usize>>,
    others: HashMap<Uuid, usize>,
    hosts: HashMap<String, usize>,
    shown_customers: usize,
    hides_details: bool,
}

impl BundleRedactor {
    /// `secrets`: the longest first.
    pub(super) fn new(secrets: &[SecretString]) -> Self {
        Self {
            secrets: secrets.to_vec(),
            names: Vec::new(),
            customers: HashMap::new(),
            others: HashMap::new(),
            hosts: HashMap::new(),
            shown_customers: 0,
            hides_details: false,
        }
    }

    /// Learns words that details must not have.
    pub(super) fn learn_words(&mut self, words: impl IntoIterator<Item = String>) {
        self.names
            .extend(words.into_iter().map(|word| lower(&word)));
        self.names.retain(|name| name.len() >= MIN_NAME_CHARS);
    }

    /// Learns every customer, with its names.
    pub(super) fn learn_names(&mut self, customers: HashMap<Uuid, Vec<String>>) {
        for (id, names) in customers {
            self.customers.insert(id, None);
            for name in names {
                // As it stands in a detail: on one line, without control characters.
                for name in [lower(&name), lower(&printable(&name))] {
                    let name = trimmed(&name);
                    if name.len() >= MIN_NAME_CHARS {
                        self.names.push(name.to_vec());
                    }
                }
            }
        }
        self.names.sort_by_key(|name| std::cmp::Reverse(name.len()));
        self.names.dedup();
    }

    /// Leaves out all that others have written: the names of customers are not known.
    pub(super) fn hide_details(&mut self) {
        self.hides_details = true;
    }

    /// Cleans every text in a value.
    pub(super) fn clean(&mut self, value: &mut Value) {
        match value {
            Value::Array(values) => values.iter_mut().for_each(|value| self.clean(value)),
            Value::Object(members) => {
                for (key, value) in members.iter_mut() {
                    match value {
                        Value::String(_) if KEPT_IDS.contains(&key.as_str()) => {}
                        Value::String(host) if key == HOST => *host = self.host(host),
                        Value::String(text) if DETAILS.contains(&key.as_str()) => {
                            *text = self.detail(text);
                        }
                        value => self.clean(value),
                    }
                }
            }
            Value::String(text) => *text = self.text(text),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn host(&mut self, host: &str) -> String {
        let next = self.hosts.len() + 1;
        let number = self.hosts.entry(host.to_owned()).or_insert(next);
        format!("host-{number}")
    }

    /// Text of the program: without secrets and ids.
    fn text(&mut self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &self.secrets {
            text = text.replace(secret.expose_secret(), REMOVED);
        }
        self.without_ids(&text)
    }

    /// Text of others: also without names, domains and addresses.
    fn detail(&mut self, text: &str) -> String {
        if self.hides_details {
            return REMOVED.to_owned();
        }
        let mut text = self.text(text);
        // Most of tens of thousands of names are not in it.
        let lowered: String = lower(&text).into_iter().collect();
        for name in &self.names {
            let plain: String = name.iter().collect();
            if lowered.contains(&plain) {
                text = without_name(&text, name);
            }
        }
        for name in self.names.iter().filter(|_| lowered.ends_with('…')) {
            if let Some(before) = before_cut_name(&text, name) {
                text = format!("{before}{REMOVED}");
            }
        }
        without_domains(&text)
    }

    fn without_ids(&mut self, text: &str) -> String {
        let mut clean = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, id, after)) = next_id(rest) {
            clean.push_str(before);
            clean.push_str(&self.pseudonym(id));
            rest = after;
        }
        clean.push_str(rest);
        clean
    }

    fn pseudonym(&mut self, id: Uuid) -> String {
        if let Some(number) = self.customers.get_mut(&id) {
            let number = *number.get_or_insert_with(|| {
                self.shown_customers += 1;
                self.shown_customers
            });
            return format!("customer-{number}");
        }
        let next = self.others.len() + 1;
        let number = self.others.entry(id).or_insert(next);
        format!("id-{number}")
    }
}

/// In lower case, character by character, so that positions stay the same.
fn lower(text: &str) -> Vec<char> {
    let lower = |c: char| c.to_lowercase().next().unwrap_or(c);
    text.chars().map(lower).collect()
}

fn trimmed(mut name: &[char]) -> &[char] {
    while let [first, rest @ ..] = name
        && first.is_whitespace()
    {
        name = rest;
    }
    without_end(name)
}

/// Without the sign that the text is cut off.
fn without_end(mut name: &[char]) -> &[char] {
    while let [rest @ .., last] = name
        && (last.is_whitespace() || *last == '…')
    {
        name = rest;
    }
    name
}

/// The text without the name, in any letter case.
fn without_name(text: &str, name: &[char]) -> String {
    let (chars, lowered) = (text.chars().collect::<Vec<_>>(), lower(text));
    let mut clean = String::new();
    let mut at = 0;
    while at < chars.len() {
        if lowered[at..].starts_with(name) {
            clean.push_str(REMOVED);
            at += name.len();
        } else {
            clean.push(chars[at]);
            at += 1;
        }
    }
    clean
}

/// The text before a name that is cut off at its end.
fn before_cut_name(text: &str, name: &[char]) -> Option<String> {
    let lowered = lower(text);
    let text_end = without_end(&lowered);
    let known = MIN_CUT_CHARS..name.len();
    let cut = known
        .rev()
        .find(|length| text_end.ends_with(&name[..*length]))?;
    Some(text.chars().take(text_end.len() - cut).collect())
}

/// The text without domains, and so without the addresses of people.
fn without_domains(text: &str) -> String {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '@' | '_' | '+' | '#');
    let mut clean = String::new();
    let mut word = String::new();
    for c in text.chars().chain(['\0']) {
        if is_part(c) {
            word.push(c);
            continue;
        }
        clean.push_str(if names_somebody(&word) {
            REMOVED
        } else {
            &word
        });
        word.clear();
        if c != '\0' {
            clean.push(c);
        }
    }
    clean
}

fn names_somebody(word: &str) -> bool {
    let word = word.trim_matches('.').to_lowercase();
    if word.contains('@') {
        return true;
    }
    let Some((before, last)) = word.rsplit_once('.') else {
        return false;
    };
    let is_domain = last.chars().count() >= 2
        && last.chars().all(char::is_alphabetic)
        && before.chars().any(char::is_alphabetic);
    let is_public = PUBLIC_DOMAINS
        .iter()
        .any(|public| word == *public || word.ends_with(&format!(".{public}")));
    is_domain && !is_public
}

/// The first GUID, with the text before and after it.
fn next_id(text: &str) -> Option<(&str, Uuid, &str)> {
    let is_hex = |c: char| c.is_ascii_hexdigit();
    for (at, _) in text.char_indices().filter(|(_, c)| is_hex(*c)) {
        if text[..at].ends_with(is_hex) {
            continue;
        }
        for length in [36, 32] {
            let Some((found, after)) = text[at..].split_at_checked(length) else {
                continue;
            };
            if after.starts_with(is_hex) {
                continue;
            }
            if let Ok(id) = Uuid::try_parse(found) {
                return Some((&text[..at], id, after));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const CUSTOMER: &str = "4d3cf487-70f4-4e1e-9ff1-b2bfce8d9f04";
    const OTHER: &str = "2c0a7a1e-8a3f-4f0e-9f5e-0d6d3f0b7a11";

    fn redactor() -> BundleRedactor {
        let mut redactor = BundleRedactor::new(&["a-secret".into()]);
        let names = vec![
            "Größe & \"Söhne\"\nGmbH".to_owned(),
            "fabrikam.example".to_owned(),
        ];
        redactor.learn_names(HashMap::from([(CUSTOMER.parse().unwrap(), names)]));
        redactor
    }

    #[test]
    fn one_id_has_one_pseudonym_in_any_spelling() {
        let mut value = json!([
            { "customer_id": CUSTOMER, "ms_request_id": OTHER },
            format!("{} {OTHER}", CUSTOMER.to_uppercase()),
            OTHER.replace('-', ""),
        ]);
        redactor().clean(&mut value);
        let expected = json!([
            { "customer_id": "customer-1", "ms_request_id": OTHER },
            "customer-1 id-1",
            "id-1",
        ]);
        assert_eq!(value, expected);
    }

    #[test]
    fn names_domains_and_secrets_are_taken_out_of_what_others_wrote() {
        for (wrote, left) in [
            (
                "of GRÖSSE & \"söhne\" gmbh it is",
                "of GRÖSSE & \"söhne\" gmbh it is",
            ),
            ("of größe & \"SÖHNE\" GmbH it is", "of (removed) it is"),
            ("at fabrikam.example.", "at (removed)."),
            ("user a.b@contoso.example.org has", "user (removed) has"),
            (
                "shop.contoso.co.uk and api.partnercenter.microsoft.com",
                "(removed) and api.partnercenter.microsoft.com",
            ),
            (
                "status 403: code 20.5 a-secret",
                "status 403: code 20.5 (removed)",
            ),
            ("it was Größe & \"Sö…", "it was (removed)"),
        ] {
            let mut value = json!({ "detail": wrote });
            redactor().clean(&mut value);
            assert_eq!(value["detail"], left);
        }
    }
}
