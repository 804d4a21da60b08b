//! A certificate in place of the client secret: a short-lived JWT assertion, signed with the
//! certificate's private key, authenticates the application (RFC 7523). The key is read for each
//! assertion and not kept.

use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{KeyPair as _, RSA_PSS_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use secrecy::SecretString;
use serde_json::json;
use uuid::Uuid;
use x509_cert::certificate::Certificate;
use x509_cert::der::Decode as _;
use x509_cert::time::Time;

use super::error::AuthError;
use crate::config::App;
use crate::text::{FileReadError, pem};

/// The value of the form field `client_assertion_type`.
pub(super) const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Seconds for which an assertion is valid. It is used at once; the rest allows for clock skew.
const LIFETIME_SECS: i64 = 600;

/// An assertion for `audience`, signed with the certificate and key that `file` holds now.
pub(super) fn sign(
    file: &Path,
    app: &App,
    audience: &str,
    now: DateTime<Utc>,
) -> Result<SecretString, AuthError> {
    let unusable = |problem| AuthError::CertificateUnusable {
        path: file.to_owned(),
        problem,
    };
    let pem = pem::load(file).map_err(|fault| match fault {
        FileReadError::NotText(_) | FileReadError::Unsuitable(_) => unusable(format!("it {fault}")),
        fault => AuthError::CertificateUnreadable {
            path: file.to_owned(),
            source: Arc::new(fault.into()),
        },
    })?;
    let signed = assertion(pem.as_bytes(), &app.client_id, audience, now);
    signed.map_err(|fault| match fault {
        CertificateFault::Expired(date) => {
            let place = app.credential_place.as_deref().unwrap_or("that file");
            let date = date.format("%Y-%m-%d");
            unusable(format!(
                "it expired on {date}; register a new one with the app in Microsoft Entra ID and \
                 put it into {place}"
            ))
        }
        CertificateFault::Other(problem) => unusable(problem),
    })
}

/// What is wrong with a certificate or its key, without any of its text.
enum CertificateFault {
    Expired(DateTime<Utc>),
    Other(String),
}

impl<T: Into<String>> From<T> for CertificateFault {
    fn from(problem: T) -> Self {
        Self::Other(problem.into())
    }
}

fn assertion(
    pem: &[u8],
    client_id: &str,
    audience: &str,
    now: DateTime<Utc>,
) -> Result<SecretString, CertificateFault> {
    let key = private_key(pem)?;
    let der = certificate(pem, &key, now)?;
    let header = json!({
        "typ": "JWT",
        "alg": "PS256",
        "x5t#S256": URL_SAFE_NO_PAD.encode(digest(&SHA256, &der)),
    });
    let claims = json!({
        "aud": audience,
        "iss": client_id,
        "sub": client_id,
        "jti": Uuid::new_v4(),
        "iat": now.timestamp(),
        "nbf": now.timestamp(),
        "exp": now.timestamp() + LIFETIME_SECS,
    });
    let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    let signing_input = format!("{header}.{claims}");
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(
        &RSA_PSS_SHA256,
        &SystemRandom::new(),
        signing_input.as_bytes(),
        &mut signature,
    )
    .map_err(|_| "its private key cannot sign".to_owned())?;
    let signature = URL_SAFE_NO_PAD.encode(signature);
    Ok(SecretString::from(format!("{signing_input}.{signature}")))
}

fn private_key(pem: &[u8]) -> Result<RsaKeyPair, String> {
    let key = PrivateKeyDer::from_pem_slice(pem).map_err(|_| {
        let shown = std::str::from_utf8(pem).ok().and_then(pem::key_problem);
        shown.unwrap_or(
            "it holds no private key in a readable form; a PEM file with the certificate and its \
             unencrypted \
             private key is needed",
        )
    })?;
    let pair = match &key {
        PrivateKeyDer::Pkcs8(key) => RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()).ok(),
        PrivateKeyDer::Pkcs1(key) => RsaKeyPair::from_der(key.secret_pkcs1_der()).ok(),
        _ => None,
    };
    pair.ok_or_else(|| "its private key is not an RSA key of 2048 to 8192 bits".to_owned())
}

/// The certificate that `key` belongs to; the file may also hold its issuers' certificates.
fn certificate<'a>(
    pem: &'a [u8],
    key: &RsaKeyPair,
    now: DateTime<Utc>,
) -> Result<CertificateDer<'a>, CertificateFault> {
    let mut any = false;
    for der in CertificateDer::pem_slice_iter(pem) {
        any = true;
        let unreadable = "a certificate in it cannot be read";
        let der = der.map_err(|_| unreadable)?;
        let read = Certificate::from_der(&der).map_err(|_| unreadable)?;
        let read = read.tbs_certificate();
        let public_key = &read.subject_public_key_info().subject_public_key;
        if public_key.raw_bytes() != key.public_key().as_ref() {
            continue;
        }
        let [from, to] = [read.validity().not_before, read.validity().not_after].map(timestamp);
        if now > to {
            return Err(CertificateFault::Expired(to));
        }
        if now < from {
            return Err(format!("it is only valid from {}", from.to_rfc3339()).into());
        }
        return Ok(der);
    }
    let problem = if any {
        "its private key does not belong to its certificate"
    } else {
        "it holds no certificate"
    };
    Err(problem.into())
}

fn timestamp(time: Time) -> DateTime<Utc> {
    let seconds = i64::try_from(time.to_unix_duration().as_secs()).unwrap_or(i64::MAX);
    DateTime::from_timestamp(seconds, 0).unwrap_or(DateTime::<Utc>::MAX_UTC)
}
