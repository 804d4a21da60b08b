//! Judges what the libraries below take from the environment: proxies and the authorities to trust.
//! They pass over in silence what they cannot read, and the traffic goes another way than somebody
//! meant it to go, or nowhere.

use std::fs;
use std::io;
use std::path::Path;

use hyper_util::client::proxy::matcher::Matcher;
use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use url::Url;

use super::Sources;
use super::fault::{Fault, Place, quoted};
use super::settings::Settings;
use super::valid::{Auth, Method, PartnerCenter};
use crate::retry::passes_by_itself;

const HTTPS_PROXY: [&str; 2] = ["HTTPS_PROXY", "https_proxy"];
const ALL_PROXY: [&str; 2] = ["ALL_PROXY", "all_proxy"];
/// Never used, since plain HTTP is for this machine only, but as wrong where it is wrong.
const HTTP_PROXY: [&str; 2] = ["HTTP_PROXY", "http_proxy"];
const NO_PROXY: [&str; 2] = ["NO_PROXY", "no_proxy"];
const CERT_FILE: &str = "SSL_CERT_FILE";
const CERT_DIR: &str = "SSL_CERT_DIR";

/// A longer file of certificates is not one.
const MAX_CERT_BYTES: u64 = 64 * 1024 * 1024;

/// What is wrong with a proxy's address.
#[derive(Debug, PartialEq, Eq)]
enum Wrong {
    NotAnAddress,
    /// Of this scheme, which is not spoken.
    Scheme(String),
}

/// The addresses that are asked over TLS.
pub(super) fn origins(partner_center: &PartnerCenter, auth: &Auth) -> Vec<Url> {
    let authority = match auth.method {
        Method::AccessToken(_) => None,
        Method::RefreshToken { .. } | Method::ClientCredentials { .. } => Some(&auth.authority),
    };
    let all = [Some(&partner_center.base_url), authority];
    let secure = |origin: &&Url| origin.scheme() == "https";
    all.into_iter().flatten().filter(secure).cloned().collect()
}

pub(super) fn check(settings: &mut Settings, sources: &Sources, origins: &[Url]) {
    for name in [HTTPS_PROXY, ALL_PROXY, HTTP_PROXY].as_flattened() {
        if let Some(value) = sources.variable(name)
            && judge(value) == Err(Wrong::NotAnAddress)
        {
            let problem = "is no address of a proxy, such as http://proxy.example:3128 or \
                http://user:password@proxy.example:3128; special characters of a password are \
                percent-encoded";
            let fault = Fault::new(*name, problem).hiding();
            settings.note(fault.at(Place::Variable((*name).to_owned())));
        }
    }
    if let Some((name, value)) = effective_proxy(sources)
        && let Err(Wrong::Scheme(scheme)) = judge(value)
        && origins.iter().any(|origin| is_proxied(origin, sources))
    {
        let problem = format!(
            "{scheme}:// is a kind of proxy that is not supported; name one that is asked over \
             HTTP, such as http://proxy.example:3128, or except the hosts with NO_PROXY"
        );
        let fault = Fault::new(name, problem).hiding();
        settings.note(fault.at(Place::Variable(name.to_owned())));
    }
    if !origins.is_empty() {
        for fault in trust(sources) {
            settings.note(fault);
        }
    }
}

/// The first that is set, as the library takes it, which looks no further even where it is empty.
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

/// Whether a proxy would be taken to get there at all.
fn is_proxied(origin: &Url, sources: &Sources) -> bool {
    let excepted = first_set(sources, NO_PROXY).map_or("", |(_, value)| value);
    let matcher = Matcher::builder().all("http://any").no(excepted).build();
    let origin = origin.as_str().parse();
    origin.is_ok_and(|origin| matcher.intercept(&origin).is_some())
}

fn judge(value: &str) -> Result<(), Wrong> {
    let with_scheme = if value.contains("://") {
        value.to_owned()
    } else {
        format!("http://{value}")
    };
    let url = Url::parse(&with_scheme).map_err(|_| Wrong::NotAnAddress)?;
    let host = url.host_str().ok_or(Wrong::NotAnAddress)?;
    // A password with a slash, a question mark or a number sign ends the address in its midst.
    let rest = [Some(url.path()), url.query(), url.fragment()];
    if rest.into_iter().flatten().any(|part| part.contains('@')) {
        return Err(Wrong::NotAnAddress);
    }
    if !matches!(url.scheme(), "http" | "https") {
        return Err(Wrong::Scheme(url.scheme().to_owned()));
    }
    // What the library makes of it must be the same: otherwise it would pass it over, or ask
    // another host.
    let target = "https://any".parse().map_err(|_| Wrong::NotAnAddress)?;
    let read = Matcher::builder().all(value.to_owned()).build();
    let read = read.intercept(&target).ok_or(Wrong::NotAnAddress)?;
    let same = read
        .uri()
        .host()
        .is_some_and(|read| read.eq_ignore_ascii_case(host));
    if same {
        Ok(())
    } else {
        Err(Wrong::NotAnAddress)
    }
}

/// Whether the certificates that the environment names are there. Where it names none, those of the
/// system are taken.
fn trust(sources: &Sources) -> Vec<Fault> {
    let file = sources.environment.get(CERT_FILE);
    let folders: Vec<&str> = sources
        .environment
        .get(CERT_DIR)
        .map_or("", String::as_str)
        .split(':')
        .filter(|folder| !folder.is_empty())
        .collect();
    let fault = |name: &str, value: &str, problem: String| {
        Fault::new(name, problem)
            .showing(quoted(value))
            .at(Place::Variable(name.to_owned()))
    };
    if let Some(file) = file {
        let judged = judge_file(Path::new(file));
        return judged
            .err()
            .map(|problem| fault(CERT_FILE, file, problem))
            .into_iter()
            .collect();
    }
    let mut problems = Vec::new();
    for folder in &folders {
        match judge_folder(Path::new(folder)) {
            Ok(()) => return Vec::new(),
            Err(problem) => problems.push(format!("{folder} {problem}")),
        }
    }
    if problems.is_empty() {
        return Vec::new();
    }
    vec![fault(CERT_DIR, &folders.join(":"), problems.join("; "))]
}

fn judge_file(file: &Path) -> Result<(), String> {
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
    // Reading a pipe might never end.
    if !about.is_file() || about.len() > MAX_CERT_BYTES {
        return Err("is no file of certificates".to_owned());
    }
    let bytes = match fs::read(file) {
        Err(error) if passes_by_itself(&error) => return Ok(()),
        bytes => bytes.map_err(unreadable)?,
    };
    if holds_a_certificate(&bytes) {
        return Ok(());
    }
    // The beginning of every certificate in the binary form.
    Err(if bytes.starts_with(&[0x30]) {
        "is a certificate in DER form; make it PEM: openssl x509 -inform der -in FILE -out FILE.pem"
            .to_owned()
    } else {
        "holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)".to_owned()
    })
}

fn judge_folder(folder: &Path) -> Result<(), String> {
    let entries = match fs::read_dir(folder) {
        Err(error) if passes_by_itself(&error) => return Ok(()),
        entries => entries.map_err(|error| format!("cannot be read: {error}"))?,
    };
    let mut files = entries.filter_map(|entry| Some(entry.ok()?.path()));
    if files.any(|file| judge_file(&file).is_ok()) {
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
    fn a_proxys_address_is_taken_as_the_library_takes_it_or_refused() {
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
            assert_eq!(judge(right), Ok(()), "{right}");
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
            assert_eq!(judge(wrong), Err(Wrong::NotAnAddress), "{wrong}");
        }
        for (other, scheme) in [
            ("socks5://proxy:1080", "socks5"),
            ("socks5h://user:pass@proxy:1080", "socks5h"),
            ("socks://proxy:1080", "socks"),
            ("ftp://proxy", "ftp"),
        ] {
            assert_eq!(judge(other), Err(Wrong::Scheme(scheme.to_owned())));
        }
    }
}
