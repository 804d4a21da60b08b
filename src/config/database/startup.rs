//! From the parts of an address to what is asked of a server: each part and parameter judged.

use std::collections::HashSet;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

use super::files::Identity;
use super::hosts::hosts;
use super::parameters::{self, Known, Parameter};
use super::text::{Parts, UNESCAPED};
use super::values::{is_a_name, mode, options, target};
use super::{Address, Host, Roots, SslMode, Target, Tls};

/// What the parameters say, each at most once.
#[derive(Default)]
struct Said {
    seen: HashSet<Parameter>,
    hosts: Option<String>,
    ports: Option<String>,
    database: Option<String>,
    user: Option<String>,
    password: Option<SecretString>,
    passfile: Option<PathBuf>,
    mode: Option<SslMode>,
    weak: bool,
    roots: Option<Roots>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    application_name: Option<String>,
    options: Vec<(String, String)>,
    connect_timeout: Option<Duration>,
    target: Option<Target>,
    statement_cache: Option<usize>,
}

pub(super) fn address(parts: Parts) -> Result<Address, String> {
    let tangled = parts.tangled && parts.user.is_none();
    whole(parts).map_err(|problem| {
        // With an @ behind the ? and none before it, whatever is wrong may be a piece of a
        // password.
        if tangled && !problem.told_from_the_table {
            UNESCAPED.to_owned()
        } else {
            problem.text
        }
    })
}

/// What is wrong, and whether it is certain that no password was taken apart for it.
pub(super) struct Problem {
    text: String,
    told_from_the_table: bool,
}

impl From<String> for Problem {
    fn from(text: String) -> Self {
        Self {
            text,
            told_from_the_table: false,
        }
    }
}

impl From<&str> for Problem {
    fn from(text: &str) -> Self {
        Self::from(text.to_owned())
    }
}

fn whole(parts: Parts) -> Result<Address, Problem> {
    let mut said = Said::default();
    for (name, value) in &parts.parameters {
        said.parameter(name, value, parts.tangled)?;
    }
    let twice = |name: &str| {
        Problem::from(format!(
            "gives {name} both as the parameter and before the question mark; keep one of them"
        ))
    };
    if parts.user.is_some() && said.user.is_some() {
        return Err(twice("user"));
    }
    if parts.password.is_some() && said.password.is_some() {
        return Err(twice("password"));
    }
    if parts.database.is_some() && said.database.is_some() {
        return Err(twice("dbname"));
    }
    let hosts = hosts(&parts.hosts, said.hosts.as_deref(), said.ports.as_deref())?;
    let identity = match (said.certificate, said.key) {
        (Some(certificate), Some(key)) => Some(Identity { certificate, key }),
        (None, None) => None,
        (Some(_), None) => return Err("has sslcert without sslkey; give both".into()),
        (None, Some(_)) => return Err("has sslkey without sslcert; give both".into()),
    };
    let tls = Tls {
        mode: said.mode,
        roots: said.roots,
        identity,
    };
    if tls.roots == Some(Roots::System) && said.weak {
        return Err(
            "has sslrootcert=system with a weaker sslmode than verify-full; anybody gets a \
             certificate \
             of a public authority, so write sslmode=verify-full"
                .into(),
        );
    }
    for host in &hosts {
        if let Host::Tcp(name, _) = host
            && name.contains('%')
            && tls.mode_for(host) != SslMode::Disable
        {
            return Err(
                "has an IPv6 address with a zone, to which no certificate can belong; \
                        write a host's name, or sslmode=disable"
                    .into(),
            );
        }
    }
    let user = parts.user.or(said.user);
    let user = user.or_else(name_of_this_user).ok_or(
        "names no user, and this user of the machine has no name; write \
         postgres://user@host/database",
    )?;
    let several = hosts.len() > 1;
    Ok(Address {
        database: parts
            .database
            .or(said.database)
            .unwrap_or_else(|| user.clone()),
        user,
        password: parts.password.or(said.password),
        passfile: said.passfile,
        // Of several servers most are there to be read from.
        target: said.target.unwrap_or(if several {
            Target::ReadWrite
        } else {
            Target::Any
        }),
        hosts,
        tls,
        options: said.options,
        application_name: said.application_name,
        connect_timeout: said.connect_timeout,
        statement_cache: said.statement_cache,
    })
}

impl Said {
    fn parameter(&mut self, name: &str, value: &str, tangled: bool) -> Result<(), Problem> {
        // As the driver would have it: options[search_path]=ledger.
        if let Some(setting) = name
            .strip_prefix("options[")
            .and_then(|rest| rest.strip_suffix(']'))
            && is_a_name(setting)
        {
            self.options.push((setting.to_owned(), value.to_owned()));
            return Ok(());
        }
        let refused = |advice: &str, told_from_the_table| Problem {
            text: format!("has the parameter {name}, which {advice}"),
            told_from_the_table,
        };
        match parameters::find(name) {
            Some(Known::Supported(parameter)) => {
                if !self.seen.insert(*parameter) {
                    return Err(Problem::from(format!(
                        "gives {name} twice; keep one of them"
                    )));
                }
                self.supported(*parameter, value)
                    .map_err(|problem| Problem::from(format!("has {name}, which {problem}")))
            }
            Some(Known::Only(values, advice)) => {
                let value = value.to_ascii_lowercase();
                if values.is_empty() || values.contains(&value.as_str()) {
                    Ok(())
                } else {
                    Err(refused(advice, true))
                }
            }
            Some(Known::Refused(advice)) => Err(refused(advice, true)),
            // A name is shown where it is one, and not where it may be a piece of a password.
            None if tangled || !is_a_name(name) => Err(format!(
                "has a parameter that is not known; if it is part of a password, it {UNESCAPED}"
            )
            .into()),
            None => Err(Problem::from(match parameters::nearest(name) {
                Some(near) => {
                    format!("has the parameter {name}, which is not known; is {near} meant?")
                }
                None => format!(
                    "has the parameter {name}, which is not known; take it away, \
                     or if it is part of a password, percent-encode the ? before it as %3F"
                ),
            })),
        }
    }

    fn supported(&mut self, parameter: Parameter, value: &str) -> Result<(), String> {
        if value.is_empty() {
            // As libpq has it: as if it were not there.
            return Ok(());
        }
        let text = || value.to_owned();
        match parameter {
            Parameter::Host => self.hosts = Some(text()),
            Parameter::HostAddress => {
                if self.hosts.is_some() {
                    return Err("does not go with host; keep one of them".to_owned());
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
            Parameter::SslMode => {
                let mode = mode(value)?;
                self.weak = mode != SslMode::VerifyFull;
                self.mode = Some(mode);
            }
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
                // As libpq has it: none, and then the program's own bound holds.
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
                        .filter(|capacity| *capacity <= 10_000)
                        .ok_or("must be a whole number from 0 to 10000")?,
                );
            }
        }
        Ok(())
    }
}

/// As libpq has it: the role is named like the user of the machine who runs the program.
fn name_of_this_user() -> Option<String> {
    use std::os::unix::fs::MetadataExt as _;

    let id = std::fs::metadata("/proc/self").ok()?.uid().to_string();
    let users = std::fs::read_to_string("/etc/passwd").ok()?;
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1) == Some(id.as_str()) && !name.is_empty()).then(|| name.to_owned())
    })
}
