//! Parses an address: checks each part and parameter.

use std::collections::HashSet;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

use super::address::{DatabaseAddress, Identity, Roots, SslMode, Target, Tls};
use super::hosts::{Host, hosts};
use super::parameters::{self, Parameter, ParameterSupport};
use super::parts::{self, AddressFault, AddressParts, UNESCAPED};
use super::values::{is_name, options, ssl_mode, target};

/// The largest accepted `statement_cache_capacity`, in statements. A session has far fewer, so a
/// larger number is a mistake.
const MAX_STATEMENT_CACHE: usize = 10_000;

/// The values of the parameters, each given at most once.
#[derive(Default)]
struct ParameterValues {
    seen: HashSet<Parameter>,
    hosts: Option<String>,
    ports: Option<String>,
    database: Option<String>,
    user: Option<String>,
    password: Option<SecretString>,
    passfile: Option<PathBuf>,
    mode: Option<SslMode>,
    roots: Option<Roots>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    application_name: Option<String>,
    options: Vec<(String, String)>,
    connect_timeout: Option<Duration>,
    target: Option<Target>,
    statement_cache: Option<usize>,
}

/// Parses an address without reading the files that it names.
///
/// # Errors
/// Says what is wrong and what to write instead. Holds no part of the text except the names of
/// parameters.
pub(super) fn parse(url: &str) -> Result<DatabaseAddress, String> {
    let parts = parts::split(url)?;
    // With an @ after the ? and none before it, the faulty part may be a piece of a password.
    let may_show_password = parts.is_ambiguous && parts.user.is_none();
    address(parts).map_err(|fault| {
        if may_show_password && !fault.is_about_parameter {
            UNESCAPED.to_owned()
        } else {
            fault.text
        }
    })
}

fn address(parts: AddressParts) -> Result<DatabaseAddress, AddressFault> {
    let mut given = ParameterValues::default();
    for (name, value) in &parts.parameters {
        given.parameter(name, value, parts.is_ambiguous)?;
    }
    let twice = |name: &str| {
        AddressFault::from(format!(
            "gives {name} both as the parameter and before the question mark; keep one of them"
        ))
    };
    if parts.user.is_some() && given.user.is_some() {
        return Err(twice("user"));
    }
    if parts.password.is_some() && given.password.is_some() {
        return Err(twice("password"));
    }
    if parts.database.is_some() && given.database.is_some() {
        return Err(twice("dbname"));
    }
    let hosts = hosts(&parts.hosts, given.hosts.as_deref(), given.ports.as_deref())?;
    let identity = match (given.certificate, given.key) {
        (Some(certificate), Some(key)) => Some(Identity { certificate, key }),
        (None, None) => None,
        (Some(_), None) => return Err("has sslcert without sslkey; give both".into()),
        (None, Some(_)) => return Err("has sslkey without sslcert; give both".into()),
    };
    let tls = Tls {
        mode: given.mode,
        roots: given.roots,
        identity,
    };
    if tls.roots == Some(Roots::System) && tls.mode.is_some_and(|mode| mode != SslMode::VerifyFull)
    {
        return Err(
            "has sslrootcert=system with a weaker sslmode than verify-full; anybody can get a \
             certificate of a public authority, so write sslmode=verify-full"
                .into(),
        );
    }
    for host in &hosts {
        if let Host::Tcp(name, _) = host
            && name.contains('%')
            && tls.mode_for(host) != SslMode::Disable
        {
            return Err(
                "has an IPv6 address with a zone, for which no certificate can be issued; \
                 write a host name, or sslmode=disable"
                    .into(),
            );
        }
    }
    let user = parts.user.or(given.user);
    let user = user.or_else(system_user).ok_or(
        "names no user, and the user of this process has no name; \
         write postgres://user@host/database",
    )?;
    let several = hosts.len() > 1;
    Ok(DatabaseAddress {
        database: parts
            .database
            .or(given.database)
            .unwrap_or_else(|| user.clone()),
        user,
        password: parts.password.or(given.password),
        passfile: given.passfile,
        // With several servers, usually all but one are read-only.
        target: given.target.unwrap_or(if several {
            Target::ReadWrite
        } else {
            Target::Any
        }),
        hosts,
        tls,
        options: given.options,
        application_name: given.application_name,
        connect_timeout: given.connect_timeout,
        statement_cache: given.statement_cache,
    })
}

impl ParameterValues {
    fn parameter(
        &mut self,
        name: &str,
        value: &str,
        is_ambiguous: bool,
    ) -> Result<(), AddressFault> {
        // The driver's form: options[search_path]=ledger.
        if let Some(setting) = name
            .strip_prefix("options[")
            .and_then(|rest| rest.strip_suffix(']'))
            && is_name(setting)
        {
            self.options.push((setting.to_owned(), value.to_owned()));
            return Ok(());
        }
        let refused = |advice: &str| AddressFault {
            text: format!("has the parameter {name}, which {advice}"),
            is_about_parameter: true,
        };
        match parameters::find(name) {
            Some(ParameterSupport::Supported(parameter)) => {
                if !self.seen.insert(*parameter) {
                    return Err(AddressFault::from(format!(
                        "gives {name} twice; keep one of them"
                    )));
                }
                self.set(*parameter, value)
                    .map_err(|problem| AddressFault::from(format!("has {name}, which {problem}")))
            }
            Some(ParameterSupport::OnlyValues(values, advice)) => {
                let value = value.to_ascii_lowercase();
                if values.is_empty() || values.contains(&value.as_str()) {
                    Ok(())
                } else {
                    Err(refused(advice))
                }
            }
            Some(ParameterSupport::Refused(advice)) => Err(refused(advice)),
            // The name is not shown if it may be a piece of a password.
            None if is_ambiguous || !is_name(name) => Err(format!(
                "has an unknown parameter; if it is part of a password, it {UNESCAPED}"
            )
            .into()),
            None => Err(AddressFault::from(match parameters::nearest(name) {
                Some(near) => {
                    format!("has the parameter {name}, which is unknown; is {near} meant?")
                }
                None => format!(
                    "has the parameter {name}, which is unknown; remove it, \
                     or if it is part of a password, percent-encode the ? before it as %3F"
                ),
            })),
        }
    }

    fn set(&mut self, parameter: Parameter, value: &str) -> Result<(), String> {
        if value.is_empty() {
            // Like libpq: an empty value counts as none.
            return Ok(());
        }
        let text = || value.to_owned();
        match parameter {
            Parameter::Host => self.hosts = Some(text()),
            Parameter::HostAddress => {
                if self.hosts.is_some() {
                    return Err("cannot be combined with host; keep one of them".to_owned());
                }
                if value.split(',').any(|one| one.parse::<IpAddr>().is_err()) {
                    return Err("must be an IP address; a name is written as host".to_owned());
                }
                self.seen.insert(Parameter::Host);
                self.hosts = Some(text());
            }
            Parameter::Port => self.ports = Some(text()),
            Parameter::Database => self.database = Some(text()),
            Parameter::User => self.user = Some(text()),
            Parameter::Password => self.password = Some(SecretString::from(value)),
            Parameter::PassFile => self.passfile = Some(PathBuf::from(value)),
            Parameter::SslMode => self.mode = Some(ssl_mode(value)?),
            Parameter::SslRootCert if value == "system" => self.roots = Some(Roots::System),
            Parameter::SslRootCert => self.roots = Some(Roots::File(PathBuf::from(value))),
            Parameter::SslCert => self.certificate = Some(PathBuf::from(value)),
            Parameter::SslKey => self.key = Some(PathBuf::from(value)),
            Parameter::ApplicationName => self.application_name = Some(text()),
            Parameter::Options => self.options.extend(options(value)?),
            Parameter::ConnectTimeout => {
                let seconds: i32 = value
                    .trim()
                    .parse()
                    .map_err(|_| "must be a whole number of seconds, without a unit".to_owned())?;
                // Like libpq: zero or less means none; the program's own timeout applies then.
                self.connect_timeout = u64::try_from(seconds)
                    .ok()
                    .filter(|seconds| *seconds > 0)
                    .map(Duration::from_secs);
            }
            Parameter::TargetSessionAttrs => self.target = Some(target(value)?),
            Parameter::StatementCache => {
                self.statement_cache = Some(
                    value
                        .parse()
                        .ok()
                        .filter(|capacity| *capacity <= MAX_STATEMENT_CACHE)
                        .ok_or("must be a whole number from 0 to 10000")?,
                );
            }
        }
        Ok(())
    }
}

/// The name of the user who runs this process. Like libpq, it is the default role.
fn system_user() -> Option<String> {
    use std::os::unix::fs::MetadataExt as _;

    let id = std::fs::metadata("/proc/self").ok()?.uid().to_string();
    let users = std::fs::read_to_string("/etc/passwd").ok()?;
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1) == Some(id.as_str()) && !name.is_empty()).then(|| name.to_owned())
    })
}
