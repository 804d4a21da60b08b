//! Faults of a TLS connection that do not pass by themselves, in words. The client of the API and
//! that of Postgres share this, so that both report a certificate alike.

use std::error::Error;
use std::fmt;
use std::io;

use chrono::DateTime;
use rustls::{AlertDescription, CertificateError};

use crate::printable::printable;

/// Names of a certificate that a message lists. It gives only the number of the others: a
/// certificate may have hundreds.
const MAX_NAMES: usize = 5;

/// Why the TLS handshake with a server fails at every attempt. Displayed as a sentence about the
/// server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TlsFault {
    fault: String,
    /// What a person can do about it.
    pub(crate) remedy: TlsRemedy,
}

/// What a person can do about a [`TlsFault`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TlsRemedy {
    /// Add the certificate's authority to those that this machine trusts.
    Trust,
    /// Have the certificate renewed, or correct this machine's clock.
    Renew,
    /// Connect to the server under another name, or have its certificate replaced.
    Name,
    /// Have the server's certificate replaced.
    Replace,
    /// Have the server support TLS 1.2 or 1.3, or correct the address.
    Protocol,
}

impl fmt::Display for TlsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.fault)
    }
}

/// The TLS fault among an error and its causes. A connection that was only interrupted has none.
pub(crate) fn fault(error: &(dyn Error + 'static)) -> Option<TlsFault> {
    causes(error).find_map(|cause| from_rustls(cause.downcast_ref()?))
}

/// An error and its causes, including the errors inside I/O errors, which `source` skips.
pub(crate) fn causes<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| {
        let inner = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        match inner {
            Some(inner) => Some(inner as &(dyn Error + 'static)),
            None => error.source(),
        }
    })
}

fn from_rustls(error: &rustls::Error) -> Option<TlsFault> {
    let (fault, remedy) = match error {
        rustls::Error::InvalidCertificate(error) => certificate_fault(error),
        rustls::Error::NoCertificatesPresented => {
            ("it presents no certificate".to_owned(), TlsRemedy::Replace)
        }
        rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType) => {
            let fault = "it does not speak TLS: its response is something else";
            (fault.to_owned(), TlsRemedy::Protocol)
        }
        rustls::Error::PeerIncompatible(reason) => (
            format!("it supports no TLS version and cipher that this program does ({reason:?})"),
            TlsRemedy::Protocol,
        ),
        rustls::Error::AlertReceived(alert) => alert_fault(*alert)?,
        // The stream was interrupted or corrupted, or the fault is our own; a retry may succeed.
        _ => return None,
    };
    Some(TlsFault { fault, remedy })
}

fn certificate_fault(error: &CertificateError) -> (String, TlsRemedy) {
    let day = |at: rustls_pki_types::UnixTime| {
        i64::try_from(at.as_secs())
            .ok()
            .and_then(|seconds| DateTime::from_timestamp(seconds, 0))
            .map_or_else(String::new, |at| at.format("%Y-%m-%d").to_string())
    };
    match error {
        CertificateError::UnknownIssuer => (
            "its certificate is not signed by an authority that this machine trusts".to_owned(),
            TlsRemedy::Trust,
        ),
        // The issuer has the name of a trusted authority but another key: the authority has changed
        // its key, or another server impersonates it.
        CertificateError::BadSignature => (
            "its certificate is signed with another key than that of the authority that this \
             machine trusts"
                .to_owned(),
            TlsRemedy::Trust,
        ),
        CertificateError::Expired => ("its certificate has expired".to_owned(), TlsRemedy::Renew),
        CertificateError::ExpiredContext { time, not_after } => (
            format!(
                "its certificate expired on {}, and this machine's clock says {}",
                day(*not_after),
                day(*time)
            ),
            TlsRemedy::Renew,
        ),
        CertificateError::NotValidYet => (
            "its certificate is not valid yet".to_owned(),
            TlsRemedy::Renew,
        ),
        CertificateError::NotValidYetContext { time, not_before } => (
            format!(
                "its certificate is valid from {} on, and this machine's clock says {}",
                day(*not_before),
                day(*time)
            ),
            TlsRemedy::Renew,
        ),
        CertificateError::NotValidForName => (
            "its certificate is for another name".to_owned(),
            TlsRemedy::Name,
        ),
        CertificateError::NotValidForNameContext {
            expected,
            presented,
        } => (
            format!(
                "its certificate is for {} and not for {}",
                names(presented),
                printable(&expected.to_str())
            ),
            TlsRemedy::Name,
        ),
        CertificateError::Revoked => ("its certificate was revoked".to_owned(), TlsRemedy::Replace),
        error => (
            format!(
                "its certificate cannot be used: {}",
                printable(&error.to_string())
            ),
            TlsRemedy::Replace,
        ),
    }
}

/// The fault behind an alert by which the server ended the handshake; none if it may be temporary.
fn alert_fault(alert: AlertDescription) -> Option<(String, TlsRemedy)> {
    match alert {
        AlertDescription::HandshakeFailure
        | AlertDescription::ProtocolVersion
        | AlertDescription::InsufficientSecurity
        | AlertDescription::NoApplicationProtocol
        | AlertDescription::MissingExtension
        | AlertDescription::UnsupportedExtension => Some((
            format!(
                "it supports no TLS version and cipher that this program does (its alert: \
                 {alert:?})"
            ),
            TlsRemedy::Protocol,
        )),
        AlertDescription::UnrecognisedName => Some((
            "it has no certificate for this name".to_owned(),
            TlsRemedy::Name,
        )),
        AlertDescription::CertificateRequired
        | AlertDescription::AccessDenied
        | AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateUnknown
        | AlertDescription::UnknownCA => Some((
            format!("it requires a client certificate, or another one (its alert: {alert:?})"),
            TlsRemedy::Replace,
        )),
        _ => None,
    }
}

/// The names of a certificate, which the library formats as `DnsName("a.example")`.
fn names(presented: &[String]) -> String {
    let bare = |name: &String| {
        let inner = name.split('"').nth(1).or_else(|| {
            let inner = name.split_once('(')?.1;
            inner.strip_suffix(')')
        });
        printable(inner.unwrap_or(name))
    };
    let mut listed: Vec<String> = presented.iter().take(MAX_NAMES).map(bare).collect();
    match presented.len() {
        0 => return "no name at all".to_owned(),
        all if all > MAX_NAMES => listed.push(format!("{} more", all - MAX_NAMES)),
        _ => {}
    }
    listed.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls_pki_types::{ServerName, UnixTime};
    use std::time::Duration;

    fn found(error: rustls::Error) -> Option<(String, TlsRemedy)> {
        // Nested as the libraries nest it.
        let error = io::Error::other(io::Error::new(io::ErrorKind::InvalidData, error));
        fault(&error).map(|fault| (fault.to_string(), fault.remedy))
    }

    #[test]
    fn a_nested_certificate_fault_is_found_and_put_into_words() {
        let at = |days: u64| UnixTime::since_unix_epoch(Duration::from_hours(24 * days));
        for (error, words, remedy) in [
            (CertificateError::UnknownIssuer, "trusts", TlsRemedy::Trust),
            (
                CertificateError::BadSignature,
                "another key",
                TlsRemedy::Trust,
            ),
            (
                CertificateError::ExpiredContext {
                    time: at(2),
                    not_after: at(1),
                },
                "expired on 1970-01-02, and this machine's clock says 1970-01-03",
                TlsRemedy::Renew,
            ),
            (
                CertificateError::NotValidYetContext {
                    time: at(1),
                    not_before: at(2),
                },
                "valid from 1970-01-03 on",
                TlsRemedy::Renew,
            ),
            (
                CertificateError::NotValidForNameContext {
                    expected: ServerName::try_from("api.example").unwrap(),
                    presented: vec!["DnsName(\"a.example\")".to_owned(); 7],
                },
                "for a.example, a.example, a.example, a.example, a.example, 2 more and not for \
                 api.example",
                TlsRemedy::Name,
            ),
            (CertificateError::Revoked, "revoked", TlsRemedy::Replace),
            (
                CertificateError::BadEncoding,
                "cannot be used",
                TlsRemedy::Replace,
            ),
        ] {
            let (fault, found) = found(rustls::Error::InvalidCertificate(error)).unwrap();
            assert!(fault.contains(words), "{fault}");
            assert_eq!(found, remedy, "{fault}");
        }
    }

    #[test]
    fn an_interrupted_handshake_is_not_a_lasting_fault() {
        for error in [
            rustls::Error::DecryptError,
            rustls::Error::AlertReceived(AlertDescription::InternalError),
            rustls::Error::AlertReceived(AlertDescription::CloseNotify),
            rustls::Error::General("odd".to_owned()),
        ] {
            assert_eq!(found(error), None);
        }
        let cut = io::Error::new(io::ErrorKind::UnexpectedEof, "tls handshake eof");
        assert_eq!(fault(&cut), None);
    }

    #[test]
    fn a_server_without_common_tls_version_is_recognised() {
        for error in [
            rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType),
            rustls::Error::AlertReceived(AlertDescription::ProtocolVersion),
            rustls::Error::AlertReceived(AlertDescription::HandshakeFailure),
        ] {
            assert_eq!(
                found(error).map(|(_, remedy)| remedy),
                Some(TlsRemedy::Protocol)
            );
        }
    }
}
