//! Takes the text of an address apart, and recognises what is no address of the kind that is
//! wanted. libpq's rules and not those of web addresses: several hosts, raw passwords and folders
//! of sockets are no such.

use secrecy::SecretString;

/// What most often is wrong.
pub(super) const UNESCAPED: &str = "seems to have a password or user with unescaped characters; \
    percent-encode them: \
     @ as %40, : as %3A, / as %2F, ? as %3F, # as %23, % as %25, a blank as %20";

/// What the text consists of, decoded but for `hosts`.
pub(super) struct Parts {
    pub(super) user: Option<String>,
    pub(super) password: Option<SecretString>,
    /// As written: separators first have their meaning and are decoded after.
    pub(super) hosts: String,
    pub(super) database: Option<String>,
    pub(super) parameters: Vec<(String, String)>,
    /// What is wrong further on is likely to be a piece of a password.
    pub(super) tangled: bool,
}

pub(super) fn take_apart(text: &str) -> Result<Parts, String> {
    let rest = after_scheme(text)?;
    if rest.contains(char::is_whitespace) {
        return Err(format!("holds a blank; it {UNESCAPED}"));
    }
    if rest.contains('#') {
        return Err(format!("holds a #; it {UNESCAPED}"));
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
    // An @ in the query may belong to a value, and may be the one before the host.
    let tangled = query.contains('@');
    if tangled && credentials.is_none() && hosts.contains(':') && !hosts.starts_with('[') {
        return unescaped();
    }
    if path.is_some_and(|path| path.contains('/')) {
        return if credentials.is_some() {
            Err(format!(
                "has more than one / behind the host; it {UNESCAPED}"
            ))
        } else {
            Err(
                "has more than one / behind the host; one in the database's name is written %2F"
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
    Ok(Parts {
        user: given(user)?,
        password: given(password)?.map(SecretString::from),
        hosts: hosts.to_owned(),
        database: given(path)?,
        parameters: parameters(query, tangled)?,
        tangled,
    })
}

fn parameters(query: &str, tangled: bool) -> Result<Vec<(String, String)>, String> {
    let mut parameters = Vec::new();
    for one in query.split('&').filter(|one| !one.is_empty()) {
        let Some((name, value)) = one.split_once('=') else {
            return Err(if tangled {
                UNESCAPED.to_owned()
            } else {
                format!(
                    "has something behind its ? that is not of the form name=value; \
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

/// Percent-encoding undone.
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
                "holds a % that no two hexadecimal digits follow; a % itself is written %25"
                    .to_owned(),
            );
        };
        bytes.push(high << 4 | low);
    }
    match String::from_utf8(bytes) {
        Ok(text) if text.contains('\0') => Err("holds %00, which Postgres cannot take".to_owned()),
        Ok(text) => Ok(text),
        Err(_) => Err("holds percent-encoded bytes that are no UTF-8; \
                       write each character as its bytes in UTF-8, such as %C3%A4 for ä"
            .to_owned()),
    }
}

/// What follows `postgres://`.
fn after_scheme(text: &str) -> Result<&str, String> {
    let text = text.trim();
    let lower = text.to_ascii_lowercase();
    for scheme in ["postgres://", "postgresql://"] {
        if lower.starts_with(scheme) {
            return Ok(&text[scheme.len()..]);
        }
    }
    Err(unlike(&lower).to_owned())
}

/// What the text is instead of an address that starts as it should.
fn unlike(lower: &str) -> &'static str {
    const FORM: &str = "must start with postgres:// or postgresql://, as in \
        postgres://user:password@host:5432/database";
    let compact: String = lower.chars().filter(|c| !c.is_whitespace()).collect();
    if lower.starts_with("jdbc:") {
        "is an address for JDBC; take jdbc: away, and put user and password before the host: \
         postgres://user:password@host:5432/database"
    } else if ["postgres+", "postgresql+"]
        .iter()
        .any(|start| lower.starts_with(start))
    {
        "names a driver, as SQLAlchemy wants it; take the + and what follows it up to :// away: \
         postgres://user:password@host:5432/database"
    } else if lower.starts_with(['"', '\'', '`', '“', '‘', '<']) {
        "is in quotes or brackets of its own; take them away"
    } else if lower.starts_with("psql ") {
        "is a command; keep only the address behind psql, without its quotes"
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
        "is a connection string as .NET wants it; write it as an address: \
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
        "lacks one of the two slashes of postgres://"
    } else {
        FORM
    }
}
