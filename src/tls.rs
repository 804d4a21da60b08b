//! What is wrong with a TLS connection where no waiting mends it, in words. Both clients ask here,
//! that of the API and that of Postgres, so that a certificate is judged alike.

use std::error::Error;
use std::fmt;
use std::io;

use chrono::DateTime;
use rustls::{AlertDescription, CertificateError};

use crate::printable::printable;

/// Names of a certificate that are told.
const NAMED: usize = 5;

/// Why a server will not be trusted or understood, however often it is asked. Says what the
/// server's fault is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TlsFault {
    fault: String,
    /// What a person can do about it.
    pub(crate) mend: Mend,
}

/// What a person can do about a [`TlsFault`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mend {
    /// Have this machine trust the certificate's authority.
    Trust,
    /// Have the certificate renewed, unless this machine's clock is wrong.
    Renew,
    /// Ask for the server under another name, or have it present another certificate.
    Name,
    /// Have the server present another certificate.
    Replace,
    /// Have the server speak TLS 1.2 or 1.3, or ask another.
    Protocol,
}

impl fmt::Display for TlsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.fault)
    }
}

/// Looks for such a fault in an error and its causes. A connection that only broke has none.
pub(crate) fn fault(error: &(dyn Error + 'static)) -> Option<TlsFault> {
    causes(error).find_map(|cause| of_tls(cause.downcast_ref()?))
}

/// An error and its causes, those in the inside of I/O errors among them, which their `source`
/// passes over.
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

fn of_tls(error: &rustls::Error) -> Option<TlsFault> {
    let (fault, mend) = match error {
        rustls::Error::InvalidCertificate(error) => of_certificate(error),
        rustls::Error::NoCertificatesPresented => {
            ("it presents no certificate".to_owned(), Mend::Replace)
        }
        rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType) => {
            let fault = "it does not speak TLS: what it answered is something else";
            (fault.to_owned(), Mend::Protocol)
        }
        rustls::Error::PeerIncompatible(reason) => (
            format!("it speaks no TLS that this program does ({reason:?})"),
            Mend::Protocol,
        ),
        rustls::Error::AlertReceived(alert) => of_alert(*alert)?,
        // A stream that was cut or spoilt on the way, or is of no meaning to us; the next may fare
        // better.
        _ => return None,
    };
    Some(TlsFault { fault, mend })
}

fn of_certificate(error: &CertificateError) -> (String, Mend) {
    let day = |at: rustls_pki_types::UnixTime| {
        i64::try_from(at.as_secs())
            .ok()
            .and_then(|seconds| DateTime::from_timestamp(seconds, 0))
            .map_or_else(String::new, |at| at.format("%Y-%m-%d").to_string())
    };
    match error {
        CertificateError::UnknownIssuer => (
            "its certificate is not signed by an authority that this machine trusts".to_owned(),
            Mend::Trust,
        ),
        // Signed by somebody else of the same name: another key of the same authority, or an impostor.
        CertificateError::BadSignature => (
            "its certificate is signed with another key than that of the authority that this \
             machine trusts"
                .to_owned(),
            Mend::Trust,
        ),
        CertificateError::Expired => ("its certificate has expired".to_owned(), Mend::Renew),
        CertificateError::ExpiredContext { time, not_after } => (
            format!(
                "its certificate expired on {}, and this machine's clock says {}",
                day(*not_after),
                day(*time)
            ),
            Mend::Renew,
        ),
        CertificateError::NotValidYet => {
            ("its certificate is not valid yet".to_owned(), Mend::Renew)
        }
        CertificateError::NotValidYetContext { time, not_before } => (
            format!(
                "its certificate is valid from {} on, and this machine's clock says {}",
                day(*not_before),
                day(*time)
            ),
            Mend::Renew,
        ),
        CertificateError::NotValidForName => {
            ("its certificate is for another name".to_owned(), Mend::Name)
        }
        CertificateError::NotValidForNameContext {
            expected,
            presented,
        } => (
            format!(
                "its certificate is for {} and not for {}",
                names(presented),
                printable(&expected.to_str())
            ),
            Mend::Name,
        ),
        CertificateError::Revoked => ("its certificate was revoked".to_owned(), Mend::Replace),
        error => (
            format!(
                "its certificate cannot be used: {}",
                printable(&error.to_string())
            ),
            Mend::Replace,
        ),
    }
}

/// What a server says when it ends a handshake. Most of it speaks of what it and we are; the rest
/// may be its bad day.
fn of_alert(alert: AlertDescription) -> Option<(String, Mend)> {
    match alert {
        AlertDescription::HandshakeFailure
        | AlertDescription::ProtocolVersion
        | AlertDescription::InsufficientSecurity
        | AlertDescription::NoApplicationProtocol
        | AlertDescription::MissingExtension
        | AlertDescription::UnsupportedExtension => Some((
            format!("it speaks no TLS that this program does (its alert: {alert:?})"),
            Mend::Protocol,
        )),
        AlertDescription::UnrecognisedName => Some((
            "it does not know itself by this name".to_owned(),
            Mend::Name,
        )),
        AlertDescription::CertificateRequired
        | AlertDescription::AccessDenied
        | AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateUnknown
        | AlertDescription::UnknownCA => Some((
            format!("it wants a client certificate, or another one (its alert: {alert:?})"),
            Mend::Replace,
        )),
        _ => None,
    }
}

/// Of a certificate, as the library tells them: `DnsName("a.example")`.
fn names(presented: &[String]) -> String {
    let bare = |name: &String| {
        let inner = name.split('"').nth(1).or_else(|| {
            let inner = name.split_once('(')?.1;
            inner.strip_suffix(')')
        });
        printable(inner.unwrap_or(name))
    };
    let mut told: Vec<String> = presented.iter().take(NAMED).map(bare).collect();
    match presented.len() {
        0 => return "no name at all".to_owned(),
        all if all > NAMED => told.push(format!("{} more", all - NAMED)),
        _ => {}
    }
    told.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls_pki_types::{ServerName, UnixTime};
    use std::time::Duration;

    fn told(error: rustls::Error) -> Option<(String, Mend)> {
        // As the libraries hand it on.
        let error = io::Error::other(io::Error::new(io::ErrorKind::InvalidData, error));
        fault(&error).map(|fault| (fault.to_string(), fault.mend))
    }

    #[test]
    fn a_certificates_fault_is_found_however_deep_it_is_and_told_in_plain_words() {
        let at = |days: u64| UnixTime::since_unix_epoch(Duration::from_hours(24 * days));
        for (error, words, mend) in [
            (CertificateError::UnknownIssuer, "trusts", Mend::Trust),
            (CertificateError::BadSignature, "another key", Mend::Trust),
            (
                CertificateError::ExpiredContext {
                    time: at(2),
                    not_after: at(1),
                },
                "expired on 1970-01-02, and this machine's clock says 1970-01-03",
                Mend::Renew,
            ),
            (
                CertificateError::NotValidYetContext {
                    time: at(1),
                    not_before: at(2),
                },
                "valid from 1970-01-03 on",
                Mend::Renew,
            ),
            (
                CertificateError::NotValidForNameContext {
                    expected: ServerName::try_from("api.example").unwrap(),
                    presented: vec!["DnsName(\"a.example\")".to_owned(); 7],
                },
                "for a.example, a.example, a.example, a.example, a.example, 2 more and not for \
                 api.example",
                Mend::Name,
            ),
            (CertificateError::Revoked, "revoked", Mend::Replace),
            (
                CertificateError::BadEncoding,
                "cannot be used",
                Mend::Replace,
            ),
        ] {
            let (fault, by) = told(rustls::Error::InvalidCertificate(error)).unwrap();
            assert!(fault.contains(words), "{fault}");
            assert_eq!(by, mend, "{fault}");
        }
    }

    #[test]
    fn a_handshake_that_only_broke_may_fare_better_the_next_time() {
        for error in [
            rustls::Error::DecryptError,
            rustls::Error::AlertReceived(AlertDescription::InternalError),
            rustls::Error::AlertReceived(AlertDescription::CloseNotify),
            rustls::Error::General("odd".to_owned()),
        ] {
            assert_eq!(told(error), None);
        }
        let cut = io::Error::new(io::ErrorKind::UnexpectedEof, "tls handshake eof");
        assert_eq!(fault(&cut), None);
    }

    #[test]
    fn a_server_with_which_no_tls_can_be_agreed_on_is_told_apart() {
        for error in [
            rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType),
            rustls::Error::AlertReceived(AlertDescription::ProtocolVersion),
            rustls::Error::AlertReceived(AlertDescription::HandshakeFailure),
        ] {
            assert_eq!(told(error).map(|(_, mend)| mend), Some(Mend::Protocol));
        }
    }
}
