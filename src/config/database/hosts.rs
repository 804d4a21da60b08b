//! The hosts of an address: those before the question mark, or those of the parameters.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::path::{Path, PathBuf};

use super::parts::{AddressFault, UNESCAPED, decoded};

const DEFAULT_PORT: u16 = 5432;

/// The socket folders of local servers: Debian's default, and that of Postgres itself.
const SOCKET_FOLDERS: [&str; 2] = ["/var/run/postgresql", "/tmp"];

/// The maximum length of a DNS name in bytes.
const MAX_NAME_LENGTH: usize = 253;

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// A name or an IP address without brackets, and a port.
    Tcp(String, u16),
    /// The folder of a socket, and the port that is part of the socket's name.
    Socket(PathBuf, u16),
}

impl Host {
    /// Whether the connection stays on this machine.
    #[must_use]
    pub fn is_local(&self) -> bool {
        match self {
            Self::Socket(..) => true,
            Self::Tcp(name, _) => name.parse::<IpAddr>().map_or_else(
                |_| {
                    let name = name.trim_end_matches('.').to_ascii_lowercase();
                    name == "localhost" || name.ends_with(".localhost")
                },
                |address| address.to_canonical().is_loopback(),
            ),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(name, port) if name.contains(':') => write!(f, "[{name}]:{port}"),
            Self::Tcp(name, port) => write!(f, "{name}:{port}"),
            Self::Socket(folder, port) => {
                write!(f, "the socket {}/.s.PGSQL.{port}", folder.display())
            }
        }
    }
}

/// The hosts before the question mark, unless the parameter `host` names others.
pub(super) fn hosts(
    authority: &str,
    parameter: Option<&str>,
    ports: Option<&str>,
) -> Result<Vec<Host>, AddressFault> {
    let mut given: Vec<(String, Option<u16>)> = Vec::new();
    for one in authority.split(',') {
        given.push(host_and_port(one)?);
    }
    if let Some(parameter) = parameter {
        let own: Vec<Option<u16>> = given.iter().map(|(_, port)| *port).collect();
        given = parameter
            .split(',')
            .enumerate()
            // Like libpq: a port before the question mark still applies.
            .map(|(position, host)| {
                let port = own.get(position).or(own.first()).copied().flatten();
                (host.trim_matches(['[', ']']).to_owned(), port)
            })
            .collect();
    }
    if let Some(ports) = ports {
        let ports: Vec<Option<u16>> = ports.split(',').map(port).collect::<Result<_, _>>()?;
        if ports.len() != 1 && ports.len() != given.len() {
            return Err("must have one port for all hosts, or as many ports as hosts".into());
        }
        for (position, (_, port)) in given.iter_mut().enumerate() {
            *port = ports.get(position).or(ports.first()).copied().flatten();
        }
    }
    let several = given.len() > 1;
    given
        .into_iter()
        .map(|(name, port)| {
            let port = port.unwrap_or(DEFAULT_PORT);
            if name.is_empty() && several {
                return Err("has an empty name among its hosts; remove a comma".into());
            }
            host(name, port)
        })
        .collect()
}

fn host_and_port(text: &str) -> Result<(String, Option<u16>), AddressFault> {
    let (name, after) = if let Some(rest) = text.strip_prefix('[') {
        let (name, after) = rest
            .split_once(']')
            .ok_or("has a [ without a ] in its host")?;
        let after = match after.strip_prefix(':') {
            Some(after) => after,
            None if after.is_empty() => "",
            None => return Err("has something other than a port after the ] of its host".into()),
        };
        // The % before a zone may be percent-encoded or not.
        let name = name.replacen("%25", "%", 1);
        let address = name.split('%').next().unwrap_or_default();
        if address.parse::<Ipv6Addr>().is_err() {
            return Err(
                "has something other than an IPv6 address in the brackets of its host".into(),
            );
        }
        (name, after)
    } else {
        match text.split_once(':') {
            Some((_, after)) if after.contains(':') => {
                return Err(
                    "has more than one : in its host; an IPv6 address is put in brackets, \
                    [::1]:5432, \
                            and a password must be followed by @ and the host"
                        .into(),
                );
            }
            Some((name, after)) => (decoded(name)?, after),
            None => (decoded(text)?, ""),
        }
    };
    Ok((name, port(after)?))
}

fn port(text: &str) -> Result<Option<u16>, AddressFault> {
    match text.trim() {
        "" => Ok(None),
        text if text.bytes().all(|byte| byte.is_ascii_digit()) => match text.parse() {
            Ok(port) if port > 0 => Ok(Some(port)),
            _ => Err("has a port that is not from 1 to 65535".into()),
        },
        _ => Err(
            "has a port that is not a number from 1 to 65535; if it is a password, @ and the host \
             are missing after it: postgres://user:password@host:5432/database"
                .into(),
        ),
    }
}

fn host(name: String, port: u16) -> Result<Host, AddressFault> {
    if name.is_empty() {
        return Ok(default_host(port));
    }
    if name.starts_with('/') {
        return Ok(Host::Socket(PathBuf::from(name), port));
    }
    let address = name.split('%').next().unwrap_or_default();
    if address.parse::<IpAddr>().is_ok() {
        return Ok(Host::Tcp(name, port));
    }
    let fit = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    if name.bytes().all(fit) && name.len() <= MAX_NAME_LENGTH && !name.starts_with('.') {
        return Ok(Host::Tcp(name, port));
    }
    Err(format!(
        "has a host that is not a name, an IP address or the folder of a socket; \
         if that is part of a password, it {UNESCAPED}"
    )
    .into())
}

/// Like libpq: a local socket if there is one, otherwise `localhost`.
fn default_host(port: u16) -> Host {
    SOCKET_FOLDERS
        .iter()
        .map(Path::new)
        .find(|folder| folder.join(format!(".s.PGSQL.{port}")).exists())
        .map_or_else(
            || Host::Tcp("localhost".to_owned(), port),
            |folder| Host::Socket(folder.to_path_buf(), port),
        )
}
