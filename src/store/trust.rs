//! Whose certificates are trusted, and what is wrong where a server's is not.

use std::error::Error;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::{CertificateError, RootCertStore};

use super::error::StoreError;
use crate::config::{Host, Roots, SslMode, Tls};

/// The authorities to be asked, in PEM; empty where none is asked.
pub(super) fn roots(tls: &Tls, mode: SslMode, host: &Host) -> Result<Vec<u8>, StoreError> {
    match mode {
        SslMode::Disable | SslMode::Prefer | SslMode::Require => return Ok(Vec::new()),
        SslMode::VerifyCa | SslMode::VerifyFull => {}
    }
    match tls.roots_pem()? {
        Some(pem) => Ok(pem),
        None => of_the_system().map_err(|problem| StoreError::Untrusted {
            host: host.to_string(),
            problem,
        }),
    }
}

/// The system's authorities, as the client for the API has them too. Those that cannot be read are left out: a store
/// often has some, and the driver would stumble over each.
fn of_the_system() -> Result<Vec<u8>, String> {
    let loaded = rustls_native_certs::load_native_certs();
    let mut store = RootCertStore::empty();
    let mut pem = Vec::new();
    for certificate in loaded.certs {
        if store.add(certificate.clone()).is_ok() {
            write_pem(&mut pem, &certificate);
        }
    }
    if !pem.is_empty() {
        return Ok(pem);
    }
    let why = loaded
        .errors
        .first()
        .map_or_else(|| "there are none".to_owned(), |error| format!("{error}"));
    Err(format!(
        "no certificate of the system's store can be used: {why}; install ca-certificates, mend SSL_CERT_FILE and \
         SSL_CERT_DIR, or name the authority's file by sslrootcert in database.url"
    ))
}

fn write_pem(pem: &mut Vec<u8>, der: &[u8]) {
    pem.extend_from_slice(b"-----BEGIN CERTIFICATE-----\n");
    for line in STANDARD.encode(der).as_bytes().chunks(64) {
        pem.extend_from_slice(line);
        pem.push(b'\n');
    }
    pem.extend_from_slice(b"-----END CERTIFICATE-----\n");
}

/// What kept the connection from being made safe, where that was it, and what to do.
pub(super) fn problem(error: &sqlx::Error, tls: &Tls, host: &Host) -> Option<String> {
    if let Some(rustls) = rustls_error(error) {
        return certificate(rustls, tls);
    }
    match error {
        sqlx::Error::Tls(source) if source.to_string().contains("does not support TLS") => {
            let why = match tls.mode {
                Some(_) => "as sslmode in database.url asks for",
                None => {
                    "which is asked for because database.url says nothing of sslmode and the server is elsewhere"
                }
            };
            Some(format!(
                "the server offers no TLS, {why}; switch ssl on at the server, or, if nobody else is on the way to \
                 {host}, write sslmode=disable"
            ))
        }
        sqlx::Error::Tls(source) => Some(format!("{source}; see sslrootcert, sslcert and sslkey")),
        _ => None,
    }
}

/// None for what is no verdict on a certificate, such as a handshake that was cut off.
fn certificate(error: &rustls::Error, tls: &Tls) -> Option<String> {
    let name_it = match &tls.roots {
        Some(Roots::File(path)) => format!(
            "it is none of those in {}, which sslrootcert names",
            path.display()
        ),
        Some(Roots::System) | None => "name the authority's file by sslrootcert in database.url, \
             or add it to the system's store or to SSL_CERT_FILE"
            .to_owned(),
    };
    let rustls::Error::InvalidCertificate(verdict) = error else {
        return match error {
            rustls::Error::NoCertificatesPresented => {
                Some("the server presents no certificate".to_owned())
            }
            rustls::Error::PeerIncompatible(_) | rustls::Error::AlertReceived(_) => Some(format!(
                "the server and this program do not agree on TLS: {error}; see sslcert and sslkey where the server \
                 asks for a client's certificate"
            )),
            _ => None,
        };
    };
    Some(match verdict {
        CertificateError::UnknownIssuer => {
            format!("the server's certificate is of an authority that is not trusted; {name_it}")
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the server's certificate has expired; renew it, or mend this machine's clock".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the server's certificate is not valid yet; mend this machine's clock or the certificate"
                .to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "the server's certificate is for another name; write the host as the certificate has it, \
             or sslmode=verify-ca with sslrootcert"
                .to_owned()
        }
        other => format!("the server's certificate is refused: {other}; {name_it}"),
    })
}

fn rustls_error(error: &sqlx::Error) -> Option<&rustls::Error> {
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        // What an I/O error wraps is not among its sources.
        next = match error.downcast_ref::<std::io::Error>() {
            Some(io) => io.get_ref().map(|inner| inner as &(dyn Error + 'static)),
            None => error.source(),
        };
    }
    None
}
