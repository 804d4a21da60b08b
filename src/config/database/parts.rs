//! Splits the text of an address into its parts, and recognises other kinds of addresses and
//! connection strings. The rules are libpq's, not those of web addresses: there may be several
//! hosts and socket folders.

use secrecy::SecretString;

/// The most frequent fault. The text completes a sentence about the address.
pub(super) const UNESCAPED: &str = "seems to have a password or user with unescaped characters; \
    percent-encode them: \
     @ as %40, : as %3A, / as %2F, ? as %3F, # as %23, % as %25, a blank as %20";

/// What is wrong with an address.
pub(super) struct AddressFault {
    pub(super) text: String,
    /// The fault is certain to be about a parameter, not about a piece of a password that looks
    /// like one.
    pub(super) is_about_parameter: bool,
}

impl From<String> for AddressFault {
    fn from(text: String) -> Self {
        Self {
            text,
            is_about_parameter: false,
        }
    }
}

impl From<&str> for AddressFault {
    fn from(text: &str) -> Self {
        Self::from(text.to_owned())
    }
}

/// The parts of the text, percent-decoded except for `hosts`.
pub(super) struct AddressParts {
    pub(super) user: Option<String>,
    pub(super) password: Option<SecretString>,
    /// Still encoded, because an encoded separator is not a separator.
    pub(super) hosts: String,
    pub(super) database: Option<String>,
    pub(super) parameters: Vec<(String, String)>,
    /// The query holds an `@`, so a part of it may be a piece of an unescaped password.
    pub(super) is_ambiguous: bool,
}

pub(super) fn split(text: &str) -> Result<AddressParts, String> {
    let rest = after_scheme(text)?;
    if rest.contains(char::is_whitespace) {
        return Err(format!("contains a blank; it {UNESCAPED}"));
    }
    if rest.contains('#') {
        return Err(format!("contains a #; it {UNESCAPED}"));
    }
    let unescaped = || Err(UNESCAPED.to_owned());
    let (place, query) = match rest.split_once('?') {
        Some((place, query)) => (place, Some(query)),
        None => (rest, None),
    };
    let (authority, path) = match place.split_once('/') {
        Some((authority, path)) => (authority, Some(path)),
        None => (place, None),
    };
    let query = query.unwrap_or_default();
    if path.is_some_and(|path| path.contains('@')) || authority.matches('@').count() > 1 {
        return unescaped();
    }
    let (credentials, hosts) = match authority.rsplit_once('@') {
        Some((credentials, hosts)) => (Some(credentials), hosts),
        None => (None, authority),
    };
    // An @ in the query may belong to a value, or be the one before the host.
    let is_ambiguous = query.contains('@');
    if is_ambiguous && credentials.is_none() && hosts.contains(':') && !hosts.starts_with('[') {
        return unescaped();
    }
    if path.is_some_and(|path| path.contains('/')) {
        return if credentials.is_some() {
            Err(format!(
                "has more than one / after the host; it {UNESCAPED}"
            ))
        } else {
            Err(
                "has more than one / after the host; write a / in the database's name as %2F"
                    .to_owned(),
            )
        };
    }
    let (user, password) = match credentials {
        Some(credentials) => match credentials.split_once(':') {
            Some((user, password)) => (Some(user), Some(password)),
            None => (Some(credentials), None),
        },
        None => (None, None),
    };
    let given = |text: Option<&str>| {
        text.filter(|text| !text.is_empty())
            .map(decoded)
            .transpose()
    };
    Ok(AddressParts {
        user: given(user)?,
        password: given(password)?.map(SecretString::from),
        hosts: hosts.to_owned(),
        database: given(path)?,
        parameters: parameters(query, is_ambiguous)?,
        is_ambiguous,
    })
}

fn parameters(query: &str, is_ambiguous: bool) -> Result<Vec<(String, String)>, String> {
    let mut parameters = Vec::new();
    for one in query.split('&').filter(|one| !one.is_empty()) {
        let Some((name, value)) = one.split_once('=') else {
            return Err(if is_ambiguous {
                UNESCAPED.to_owned()
            } else {
                format!(
                    "has something after its ? that is not of the form name=value; \
                     if that is part of a password, it {UNESCAPED}"
                )
            });
        };
        if value.contains('?') {
            return Err(format!(
                "has a second ?; parameters are joined by &, as in \
                 ?sslmode=verify-full&connect_timeout=5; \
                 if it is part of a password, it {UNESCAPED}"
            ));
        }
        parameters.push((decoded(name)?, decoded(value)?));
    }
    Ok(parameters)
}

/// Undoes percent-encoding.
pub(super) fn decoded(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = [rest.next(), rest.next()].map(|digit| {
            let digit = char::from(digit?).to_digit(16)?;
            u8::try_from(digit).ok()
        });
        let [Some(high), Some(low)] = digits else {
            return Err(
                "contains a % without two hexadecimal digits after it; write a % itself as %25"
                    .to_owned(),
            );
        };
        bytes.push(high << 4 | low);
    }
    match String::from_utf8(bytes) {
        Ok(text) if text.contains('\0') => {
            Err("contains %00, which Postgres does not accept".to_owned())
        }
        Ok(text) => Ok(text),
        Err(_) => Err("contains percent-encoded bytes that are not UTF-8; \
                       encode the UTF-8 bytes of each character, such as %C3%A4 for ä"
            .to_owned()),
    }
}

/// The text after `postgres://`.
fn after_scheme(text: &str) -> Result<&str, String> {
    let text = text.trim();
    let lower = text.to_ascii_lowercase();
    for scheme in ["postgres://", "postgresql://"] {
        if lower.starts_with(scheme) {
            return Ok(&text[scheme.len()..]);
        }
    }
    Err(wrong_kind(&lower).to_owned())
}

/// What kind of text it is, if it does not begin with `postgres://`.
fn wrong_kind(lower: &str) -> &'static str {
    const FORM: &str = "must start with postgres:// or postgresql://, as in \
        postgres://user:password@host:5432/database";
    let compact: String = lower.chars().filter(|c| !c.is_whitespace()).collect();
    if lower.starts_with("jdbc:") {
        "is a JDBC address; remove jdbc:, and put user and password before the host: \
         postgres://user:password@host:5432/database"
    } else if ["postgres+", "postgresql+"]
        .iter()
        .any(|start| lower.starts_with(start))
    {
        "names a driver, as SQLAlchemy does; remove the + and everything after it up to ://: \
         postgres://user:password@host:5432/database"
    } else if lower.starts_with(['"', '\'', '`', '“', '‘', '<']) {
        "is in quotes or brackets; remove them"
    } else if lower.starts_with("psql ") {
        "is a command; keep only the address after psql, without its quotes"
    } else if lower.starts_with("export ")
        || lower.find("=postgres").is_some_and(|at| {
            let name = &lower[..at];
            name.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        })
    {
        "begins with the name of a variable; keep only what follows the ="
    } else if compact.contains(';')
        && [
            "host=",
            "server=",
            "datasource=",
            "database=",
            "password=",
            "username=",
        ]
        .iter()
        .any(|key| compact.contains(key))
    {
        "is a .NET connection string; write it as an address: \
         postgres://user:password@host:5432/database"
    } else if [
        "host=",
        "hostaddr=",
        "dbname=",
        "user=",
        "password=",
        "port=",
        "service=",
    ]
    .iter()
    .any(|key| compact.contains(key))
    {
        "is a connection string of keywords and values; write it as an address: \
         postgres://user:password@host:5432/database"
    } else if lower.starts_with("postgres:") || lower.starts_with("postgresql:") {
        "lacks one of the two slashes in postgres://"
    } else {
        FORM
    }
}
