//! Checks what the HTTP libraries take from the environment: proxies and trusted certificates. The
//! libraries silently ignore values that they cannot parse, and the traffic would then go another
//! way than intended, or nowhere.

use std::fs;
use std::io;
use std::path::Path;

use hyper_util::client::proxy::matcher::Matcher;
use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use url::Url;

use crate::config::fault::{ConfigFault, Origin, quoted};
use crate::config::reader::SettingsReader;
use crate::config::settings::{Auth, Method, PartnerCenter};
use crate::config::sources::Sources;
use crate::retry::passes_by_itself;

const HTTPS_PROXY: [&str; 2] = ["HTTPS_PROXY", "https_proxy"];
const ALL_PROXY: [&str; 2] = ["ALL_PROXY", "all_proxy"];
/// Never used, because plain HTTP is allowed to loopback addresses only. Checked nevertheless.
const HTTP_PROXY: [&str; 2] = ["HTTP_PROXY", "http_proxy"];
const NO_PROXY: [&str; 2] = ["NO_PROXY", "no_proxy"];
const CERT_FILE: &str = "SSL_CERT_FILE";
const CERT_DIR: &str = "SSL_CERT_DIR";

/// The maximum size of a certificate file, in bytes. A larger file holds something else, and
/// reading it could fill the memory.
const MAX_CERT_BYTES: u64 = 64 * 1024 * 1024;

/// What is wrong with a proxy's address.
#[derive(Debug, PartialEq, Eq)]
enum ProxyFault {
    NotAnAddress,
    UnsupportedScheme(String),
}

/// The origins that are reached over TLS.
pub(in crate::config) fn tls_origins(partner_center: &PartnerCenter, auth: &Auth) -> Vec<Url> {
    let authority = match auth.method {
        Method::AccessToken(_) => None,
        Method::RefreshToken { .. } | Method::ClientCredentials { .. } => Some(&auth.authority),
    };
    let all = [Some(&partner_center.base_url), authority];
    let secure = |origin: &&Url| origin.scheme() == "https";
    all.into_iter().flatten().filter(secure).cloned().collect()
}

pub(in crate::config) fn check(reader: &mut SettingsReader, sources: &Sources, origins: &[Url]) {
    for name in [HTTPS_PROXY, ALL_PROXY, HTTP_PROXY].as_flattened() {
        if let Some(value) = sources.variable(name)
            && check_proxy(value) == Err(ProxyFault::NotAnAddress)
        {
            let problem = "is not the address of a proxy, such as http://proxy.example:3128 or \
                http://user:password@proxy.example:3128; special characters of a password are \
                percent-encoded";
            let fault = ConfigFault::new(*name, problem).hiding();
            reader.report(fault.at(Origin::Variable((*name).to_owned())));
        }
    }
    if let Some((name, value)) = effective_proxy(sources)
        && let Err(ProxyFault::UnsupportedScheme(scheme)) = check_proxy(value)
        && origins.iter().any(|origin| is_proxied(origin, sources))
    {
        let problem = format!(
            "{scheme}:// proxies are not supported; name an HTTP proxy, such as \
             http://proxy.example:3128, or exempt the hosts with NO_PROXY"
        );
        let fault = ConfigFault::new(name, problem).hiding();
        reader.report(fault.at(Origin::Variable(name.to_owned())));
    }
    if !origins.is_empty() {
        for fault in check_certificates(sources) {
            reader.report(fault);
        }
    }
}

/// The first variable that is set, even if it is empty: the library looks no further either.
fn first_set<'a>(
    sources: &'a Sources,
    names: [&'static str; 2],
) -> Option<(&'static str, &'a str)> {
    let set = |name: &'static str| Some((name, sources.environment.get(name)?.as_str()));
    names.into_iter().find_map(set)
}

fn effective_proxy(sources: &Sources) -> Option<(&'static str, &str)> {
    [HTTPS_PROXY, ALL_PROXY]
        .into_iter()
        .filter_map(|names| first_set(sources, names))
        .find(|(_, value)| !value.is_empty())
}

/// Whether requests to the origin go through the proxy, that is, `NO_PROXY` does not exempt it.
fn is_proxied(origin: &Url, sources: &Sources) -> bool {
    let excepted = first_set(sources, NO_PROXY).map_or("", |(_, value)| value);
    let matcher = Matcher::builder().all("http://any").no(excepted).build();
    let origin = origin.as_str().parse();
    origin.is_ok_and(|origin| matcher.intercept(&origin).is_some())
}

fn check_proxy(value: &str) -> Result<(), ProxyFault> {
    let with_scheme = if value.contains("://") {
        value.to_owned()
    } else {
        format!("http://{value}")
    };
    let url = Url::parse(&with_scheme).map_err(|_| ProxyFault::NotAnAddress)?;
    let host = url.host_str().ok_or(ProxyFault::NotAnAddress)?;
    // A password with an unescaped /, ? or # ends the host early, and the @ is in a later part.
    let rest = [Some(url.path()), url.query(), url.fragment()];
    if rest.into_iter().flatten().any(|part| part.contains('@')) {
        return Err(ProxyFault::NotAnAddress);
    }
    if !matches!(url.scheme(), "http" | "https") {
        return Err(ProxyFault::UnsupportedScheme(url.scheme().to_owned()));
    }
    // The library must find the same host. Otherwise it would ignore the proxy, or use another one.
    let target = "https://any"
        .parse()
        .map_err(|_| ProxyFault::NotAnAddress)?;
    let read = Matcher::builder().all(value.to_owned()).build();
    let read = read.intercept(&target).ok_or(ProxyFault::NotAnAddress)?;
    let same = read
        .uri()
        .host()
        .is_some_and(|read| read.eq_ignore_ascii_case(host));
    if same {
        Ok(())
    } else {
        Err(ProxyFault::NotAnAddress)
    }
}

/// Checks that the certificate files which the environment names can be used.
fn check_certificates(sources: &Sources) -> Vec<ConfigFault> {
    let file = sources.environment.get(CERT_FILE);
    let folders: Vec<&str> = sources
        .environment
        .get(CERT_DIR)
        .map_or("", String::as_str)
        .split(':')
        .filter(|folder| !folder.is_empty())
        .collect();
    let fault = |name: &str, value: &str, problem: String| {
        ConfigFault::new(name, problem)
            .showing(quoted(value))
            .at(Origin::Variable(name.to_owned()))
    };
    if let Some(file) = file {
        let checked = check_certificate_file(Path::new(file));
        return checked
            .err()
            .map(|problem| fault(CERT_FILE, file, problem))
            .into_iter()
            .collect();
    }
    let mut problems = Vec::new();
    for folder in &folders {
        match check_certificate_folder(Path::new(folder)) {
            Ok(()) => return Vec::new(),
            Err(problem) => problems.push(format!("{folder} {problem}")),
        }
    }
    if problems.is_empty() {
        return Vec::new();
    }
    vec![fault(CERT_DIR, &folders.join(":"), problems.join("; "))]
}

fn check_certificate_file(file: &Path) -> Result<(), String> {
    if file.as_os_str().is_empty() {
        return Err("is empty; name a file with certificates in PEM form, or unset it".to_owned());
    }
    let unreadable = |error: io::Error| format!("cannot be read: {error}");
    let about = match fs::metadata(file) {
        Err(error) if passes_by_itself(&error) => return Ok(()),
        about => about.map_err(unreadable)?,
    };
    if about.is_dir() {
        return Err("is a folder; a folder of certificates is named in SSL_CERT_DIR".to_owned());
    }
    // Reading from a pipe might block forever.
    if !about.is_file() || about.len() > MAX_CERT_BYTES {
        return Err("is not a certificate file".to_owned());
    }
    let bytes = match fs::read(file) {
        Err(error) if passes_by_itself(&error) => return Ok(()),
        bytes => bytes.map_err(unreadable)?,
    };
    if holds_a_certificate(&bytes) {
        return Ok(());
    }
    // Every certificate in DER form begins with this byte.
    Err(if bytes.starts_with(&[0x30]) {
        "is a certificate in DER form; convert it to PEM: openssl x509 -inform der -in FILE -out \
         FILE.pem"
            .to_owned()
    } else {
        "holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)".to_owned()
    })
}

fn check_certificate_folder(folder: &Path) -> Result<(), String> {
    let entries = match fs::read_dir(folder) {
        Err(error) if passes_by_itself(&error) => return Ok(()),
        entries => entries.map_err(|error| format!("cannot be read: {error}"))?,
    };
    let mut files = entries.filter_map(|entry| Some(entry.ok()?.path()));
    if files.any(|file| check_certificate_file(&file).is_ok()) {
        Ok(())
    } else {
        Err("holds no certificate in PEM form".to_owned())
    }
}

fn holds_a_certificate(pem: &[u8]) -> bool {
    let certificates = CertificateDer::pem_slice_iter(pem).filter_map(Result::ok);
    let (usable, _) = RootCertStore::empty().add_parsable_certificates(certificates);
    usable > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_refused_unless_the_library_would_use_it() {
        for right in [
            "http://proxy.example:3128",
            "https://proxy.example",
            "http://user:p%40ss@proxy.example:3128/",
            "proxy.example:3128",
            "proxy",
            "HTTP://PROXY.example:80",
            "http://[::1]:3128",
            "http://10.0.0.1:8080",
        ] {
            assert_eq!(check_proxy(right), Ok(()), "{right}");
        }
        for wrong in [
            "not a url",
            "http://",
            "http//proxy:3128",
            "/proxy:3128",
            "http://proxy:99999",
            "http://proxy:port",
            " http://proxy:3128",
            "http://user:p#ss@proxy:3128",
            "http://user:12/34@proxy:3128",
            "http://user:12?34@proxy:3128",
            "://",
            "\u{fffd}",
            "proxy:3128:3128",
        ] {
            assert_eq!(check_proxy(wrong), Err(ProxyFault::NotAnAddress), "{wrong}");
        }
        for (other, scheme) in [
            ("socks5://proxy:1080", "socks5"),
            ("socks5h://user:pass@proxy:1080", "socks5h"),
            ("socks://proxy:1080", "socks"),
            ("ftp://proxy", "ftp"),
        ] {
            assert_eq!(
                check_proxy(other),
                Err(ProxyFault::UnsupportedScheme(scheme.to_owned()))
            );
        }
    }
}
