//! The certificate authorities that are trusted, and advice for a connection that TLS refuses.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::RootCertStore;

use super::super::error::StoreError;
use crate::config::{Host, Roots, SslMode, Tls};
use crate::tls::{self, TlsRemedy};

/// The trusted authorities in PEM; empty if `mode` verifies no certificate.
pub(super) fn roots(tls: &Tls, mode: SslMode, host: &Host) -> Result<Vec<u8>, StoreError> {
    match mode {
        SslMode::Disable | SslMode::Prefer | SslMode::Require => return Ok(Vec::new()),
        SslMode::VerifyCa | SslMode::VerifyFull => {}
    }
    match tls.roots_pem()? {
        Some(pem) => Ok(pem),
        None => system_roots().map_err(|problem| StoreError::Untrusted {
            host: host.to_string(),
            problem,
        }),
    }
}

/// The system's authorities, as the HTTP client uses them. Certificates that rustls does not accept
/// are left out: many a system's store has some, and the driver would fail at the first.
fn system_roots() -> Result<Vec<u8>, String> {
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
        "no certificate of the system's store can be used: {why}; install ca-certificates, mend \
         SSL_CERT_FILE and SSL_CERT_DIR, or name the authority's file by sslrootcert in \
         database.url"
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

/// If `error` is a problem of TLS: what is wrong, and what to do about it.
pub(super) fn problem(error: &sqlx::Error, settings: &Tls, host: &Host) -> Option<String> {
    if let Some(fault) = tls::fault(error) {
        return Some(format!("{fault}; {}", advice(fault.remedy, settings)));
    }
    match error {
        sqlx::Error::Tls(source) if source.to_string().contains("does not support TLS") => {
            let why = match settings.mode {
                Some(_) => "as sslmode in database.url asks for",
                None => {
                    "which is asked for because database.url says nothing of sslmode and the \
                     server is elsewhere"
                }
            };
            Some(format!(
                "the server offers no TLS, {why}; switch ssl on at the server, or, if nobody else \
                 is on the way to {host}, write sslmode=disable"
            ))
        }
        sqlx::Error::Tls(source) => Some(format!("{source}; see sslrootcert, sslcert and sslkey")),
        _ => None,
    }
}

fn advice(mend: TlsRemedy, settings: &Tls) -> String {
    let advice = match mend {
        TlsRemedy::Trust => match &settings.roots {
            Some(Roots::File(path)) => {
                return format!(
                    "it has to be one of those in {}, which sslrootcert names",
                    path.display()
                );
            }
            Some(Roots::System) | None => {
                "name the authority's file by sslrootcert in database.url, or add it to the \
                 system's store or to SSL_CERT_FILE"
            }
        },
        TlsRemedy::Renew => "have the certificate renewed, or set this machine's clock",
        TlsRemedy::Name => {
            "write the host in database.url as the certificate has it, or sslmode=verify-ca with \
             sslrootcert"
        }
        TlsRemedy::Replace => {
            "compare it, and sslcert and sslkey in database.url, with what either side asks for"
        }
        TlsRemedy::Protocol => "compare host and port in database.url with what listens there",
    };
    advice.to_owned()
}
