//! Judges a client's signed statement that it is the client, against the certificates
//! that the settings register for it. Written with another library than the client's
//! own statement, so that the two can't agree on a mistake.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{
    Algorithm, DecodingKey, Header, Validation, decode, decode_header, errors::ErrorKind,
};
use rustls_pki_types::{CertificateDer, pem::PemObject as _};
use serde_json::Value;
use x509_cert::{certificate::Certificate, der::Decode as _};

use crate::{
    sign_in::client::CLIENT_ID,
    sign_in::entra_error::{Refusal, refusal},
};

/// Clocks may differ by so much.
const LEEWAY_SECS: u64 = 300;

/// Whether a certificate can be registered.
pub(crate) fn is_certificate(pem: &str) -> bool {
    registered(pem).next().is_some()
}

/// A certificate, as statements name it.
struct Registered {
    key: DecodingKey,
    sha256: String,
    sha1: String,
    /// The older fingerprint as the portal shows it.
    sha1_hex: String,
}

impl Registered {
    /// Statements name their certificate by its newer fingerprint, by the older one, or by
    /// the older one in another writing.
    fn is_named_by(&self, header: &Header) -> bool {
        // Some libraries pad what they encode.
        let plain = |named: &str| named.trim_end_matches('=').to_owned();
        match (&header.x5t_s256, &header.x5t, &header.kid) {
            (Some(named), ..) => plain(named) == self.sha256,
            (None, Some(named), _) => plain(named) == self.sha1,
            (None, None, Some(named)) => {
                named.eq_ignore_ascii_case(&self.sha1_hex) || plain(named) == self.sha1
            }
            (None, None, None) => false,
        }
    }
}

fn registered(pem: &str) -> impl Iterator<Item = Registered> {
    CertificateDer::pem_slice_iter(pem.as_bytes()).filter_map(|der| {
        let der = der.ok()?;
        let certificate = Certificate::from_der(&der).ok()?;
        let info = certificate.tbs_certificate().subject_public_key_info();
        let key = DecodingKey::from_rsa_der(info.subject_public_key.raw_bytes());
        let sha1 = digest(&SHA1_FOR_LEGACY_USE_ONLY, &der);
        Some(Registered {
            key,
            sha256: URL_SAFE_NO_PAD.encode(digest(&SHA256, &der)),
            sha1: URL_SAFE_NO_PAD.encode(sha1),
            sha1_hex: sha1
                .as_ref()
                .iter()
                .fold(String::new(), |hex, byte| hex + &format!("{byte:02X}")),
        })
    })
}

/// Judges a statement addressed to one of `audiences`.
pub(crate) fn judge(
    statement: &str,
    certificates: Option<&str>,
    audiences: &[String],
) -> Result<(), Refusal> {
    let header = decode_header(statement).map_err(|_| refusal(50_027))?;
    let mut registered = certificates.into_iter().flat_map(registered);
    let named = registered.find(|certificate| certificate.is_named_by(&header));
    let key = named.ok_or_else(|| refusal(700_027))?.key;
    let mut validation = Validation::new(Algorithm::PS256);
    validation.algorithms = vec![Algorithm::PS256, Algorithm::RS256];
    validation.leeway = LEEWAY_SECS;
    validation.validate_nbf = true;
    validation.sub = Some(CLIENT_ID.to_owned());
    validation.set_audience(audiences);
    validation.set_issuer(&[CLIENT_ID]);
    // Microsoft's own libraries leave `nbf` away.
    validation.set_required_spec_claims(&["aud", "exp", "iss", "sub"]);
    let judged = decode::<Value>(statement, &key, &validation);
    let claims = judged.map_err(|error| match error.kind() {
        ErrorKind::InvalidAudience => refusal(700_023),
        ErrorKind::ExpiredSignature | ErrorKind::ImmatureSignature => refusal(700_024),
        ErrorKind::InvalidSignature => refusal(700_027),
        _ => refusal(50_027),
    })?;
    match claims.claims["jti"].as_str() {
        Some(id) if !id.is_empty() => Ok(()),
        _ => Err(refusal(50_027)),
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::{
        rand::SystemRandom,
        signature::{RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaKeyPair},
    };
    use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256, RsaKeySize};
    use serde_json::json;

    use super::*;

    const ENDPOINT: &str = "http://127.0.0.1:1/t/oauth2/v2.0/token";

    struct Client {
        certificate: String,
        key: RsaKeyPair,
    }

    impl Client {
        fn new() -> Self {
            let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
            let params = CertificateParams::new(Vec::new()).unwrap();
            Self {
                certificate: params.self_signed(&key).unwrap().pem(),
                key: RsaKeyPair::from_pkcs8(&key.serialize_der()).unwrap(),
            }
        }

        /// A good statement with some claims replaced; a null takes a claim away.
        fn says(&self, changes: &Value) -> String {
            let named = registered(&self.certificate).next().unwrap();
            let header = json!({ "alg": "PS256", "typ": "JWT", "x5t#S256": named.sha256 });
            self.says_under(&header, changes)
        }

        fn says_under(&self, header: &Value, changes: &Value) -> String {
            let now = crate::simulator::now().timestamp();
            let mut claims = json!({
                "aud": ENDPOINT, "iss": CLIENT_ID, "sub": CLIENT_ID, "jti": "1",
                "nbf": now, "exp": now + 600,
            });
            for (name, value) in changes.as_object().unwrap() {
                claims[name] = value.clone();
            }
            claims
                .as_object_mut()
                .unwrap()
                .retain(|_, value| !value.is_null());
            let [said_header, claims] =
                [header, &claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
            let said = format!("{said_header}.{claims}");
            let mut signature = vec![0; self.key.public_modulus_len()];
            let random = SystemRandom::new();
            let algorithm: &'static dyn aws_lc_rs::signature::RsaEncoding =
                match header["alg"].as_str() {
                    Some("RS256") => &RSA_PKCS1_SHA256,
                    _ => &RSA_PSS_SHA256,
                };
            self.key
                .sign(algorithm, &random, said.as_bytes(), &mut signature)
                .unwrap();
            format!("{said}.{}", URL_SAFE_NO_PAD.encode(signature))
        }

        fn judged(&self, changes: &Value) -> Option<u32> {
            judged(&self.says(changes), Some(&self.certificate))
        }
    }

    fn judged(statement: &str, certificate: Option<&str>) -> Option<u32> {
        let judged = judge(statement, certificate, &[ENDPOINT.to_owned()]);
        judged.err().map(|refusal| refusal.code)
    }

    #[test]
    fn a_statement_may_be_written_as_each_of_microsofts_libraries_writes_it() {
        let client = Client::new();
        let named = registered(&client.certificate).next().unwrap();
        let unlimited = json!({ "nbf": null });
        for (header, refused) in [
            (json!({ "alg": "RS256", "x5t": named.sha1 }), None),
            (
                json!({ "alg": "RS256", "x5t": format!("{}=", named.sha1) }),
                None,
            ),
            (json!({ "alg": "RS256", "kid": named.sha1_hex }), None),
            (json!({ "alg": "RS256", "x5t#S256": named.sha256 }), None),
            (json!({ "alg": "PS256", "x5t": named.sha1 }), None),
            (
                json!({ "alg": "PS256", "x5t": named.sha256 }),
                Some(700_027),
            ),
            (json!({ "alg": "PS256" }), Some(700_027)),
        ] {
            let said = client.says_under(&header, &unlimited);
            assert_eq!(
                judged(&said, Some(&client.certificate)),
                refused,
                "{header}"
            );
        }
    }

    #[test]
    fn a_statement_is_judged_by_its_claims() {
        let client = Client::new();
        let now = crate::simulator::now().timestamp();
        for (changes, refused) in [
            (json!({}), None),
            (json!({ "aud": "http://127.0.0.1:1/other" }), Some(700_023)),
            (json!({ "exp": now - 400, "nbf": now - 900 }), Some(700_024)),
            (json!({ "nbf": now + 400 }), Some(700_024)),
            (json!({ "iss": "another" }), Some(50_027)),
            (json!({ "sub": "another" }), Some(50_027)),
            (json!({ "jti": null }), Some(50_027)),
            (json!({ "exp": null }), Some(50_027)),
            (json!({ "nbf": null }), None),
        ] {
            assert_eq!(client.judged(&changes), refused, "{changes}");
        }
    }

    #[test]
    fn a_statement_is_judged_by_its_signature() {
        let [client, other] = [Client::new(), Client::new()];
        let said = client.says(&json!({}));
        assert_eq!(judged(&said, Some(&other.certificate)), Some(700_027));
        assert_eq!(judged(&said, None), Some(700_027));
        let (body, _) = said.rsplit_once('.').unwrap();
        let theirs = other.says(&json!({}));
        let (_, signature) = theirs.rsplit_once('.').unwrap();
        let forged = format!("{body}.{signature}");
        assert_eq!(judged(&forged, Some(&client.certificate)), Some(700_027));
        assert_eq!(judged("a.b.c", Some(&client.certificate)), Some(50_027));
    }
}
