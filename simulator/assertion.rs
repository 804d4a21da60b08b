//! Judges a client's signed statement that it is the client, against the certificates
//! that the settings register for it. Written with another library than the client's
//! own statement, so that the two can't agree on a mistake.

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header, errors::ErrorKind};
use rustls_pki_types::{CertificateDer, pem::PemObject as _};
use serde_json::Value;
use x509_cert::{certificate::Certificate, der::Decode as _};

use crate::{
    authority::CLIENT_ID,
    entra::{Refusal, refusal},
};

/// Clocks may differ by so much.
const LEEWAY_SECS: u64 = 300;

/// Whether a certificate can be registered.
pub(crate) fn is_certificate(pem: &str) -> bool {
    registered(pem).next().is_some()
}

/// The public key of each certificate, and its fingerprint as statements name it.
fn registered(pem: &str) -> impl Iterator<Item = (DecodingKey, String)> {
    CertificateDer::pem_slice_iter(pem.as_bytes()).filter_map(|der| {
        let der = der.ok()?;
        let certificate = Certificate::from_der(&der).ok()?;
        let info = certificate.tbs_certificate().subject_public_key_info();
        let key = DecodingKey::from_rsa_der(info.subject_public_key.raw_bytes());
        Some((key, URL_SAFE_NO_PAD.encode(digest(&SHA256, &der))))
    })
}

/// Judges a statement addressed to `endpoint`.
pub(crate) fn judge(
    statement: &str,
    certificates: Option<&str>,
    endpoint: &str,
) -> Result<(), Refusal> {
    let header = decode_header(statement).map_err(|_| refusal(50_027))?;
    let named = header.x5t_s256.as_deref();
    let mut registered = certificates.into_iter().flat_map(registered);
    let key = registered.find(|(_, fingerprint)| named == Some(fingerprint));
    let (key, _) = key.ok_or_else(|| refusal(700_027))?;
    let mut validation = Validation::new(Algorithm::PS256);
    validation.algorithms = vec![Algorithm::PS256, Algorithm::RS256];
    validation.leeway = LEEWAY_SECS;
    validation.validate_nbf = true;
    validation.sub = Some(CLIENT_ID.to_owned());
    validation.set_audience(&[endpoint]);
    validation.set_issuer(&[CLIENT_ID]);
    validation.set_required_spec_claims(&["aud", "exp", "iss", "nbf", "sub"]);
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
        signature::{RSA_PSS_SHA256, RsaKeyPair},
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
            let now = crate::state::now().timestamp();
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
            let (_, fingerprint) = registered(&self.certificate).next().unwrap();
            let header = json!({ "alg": "PS256", "typ": "JWT", "x5t#S256": fingerprint });
            let [header, claims] =
                [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
            let said = format!("{header}.{claims}");
            let mut signature = vec![0; self.key.public_modulus_len()];
            let random = SystemRandom::new();
            self.key
                .sign(&RSA_PSS_SHA256, &random, said.as_bytes(), &mut signature)
                .unwrap();
            format!("{said}.{}", URL_SAFE_NO_PAD.encode(signature))
        }

        fn judged(&self, changes: &Value) -> Option<u32> {
            let judged = judge(&self.says(changes), Some(&self.certificate), ENDPOINT);
            judged.err().map(|refusal| refusal.code)
        }
    }

    #[test]
    fn a_statement_is_judged_by_its_claims() {
        let client = Client::new();
        let now = crate::state::now().timestamp();
        for (changes, refused) in [
            (json!({}), None),
            (json!({ "aud": "http://127.0.0.1:1/other" }), Some(700_023)),
            (json!({ "exp": now - 400, "nbf": now - 900 }), Some(700_024)),
            (json!({ "nbf": now + 400 }), Some(700_024)),
            (json!({ "iss": "another" }), Some(50_027)),
            (json!({ "sub": "another" }), Some(50_027)),
            (json!({ "jti": null }), Some(50_027)),
            (json!({ "exp": null }), Some(50_027)),
        ] {
            assert_eq!(client.judged(&changes), refused, "{changes}");
        }
    }

    #[test]
    fn a_statement_is_judged_by_its_signature() {
        let [client, other] = [Client::new(), Client::new()];
        let judged = |statement: &str, certificate: Option<&str>| {
            judge(statement, certificate, ENDPOINT)
                .err()
                .map(|refusal| refusal.code)
        };
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
