//! What makes the sign-in an `OpenID` provider: its metadata, the key that it signs ID tokens with,
//! and what it says about the person who signed in.

use std::sync::LazyLock;

use aws_lc_rs::{
    encoding::{AsDer as _, Pkcs8V1Der},
    rsa::KeySize,
    signature::RsaKeyPair,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, jwk::Jwk};
use serde_json::{Value, json};

use super::registration::{CLIENT_ID, TENANT_ID, USER_ID, USER_NAME};
use crate::clock::now;

const KEY_ID: &str = "simulator-1";
const ID_TOKEN_TTL_SECS: i64 = 3600;

/// The bytes of the PKCS#8 header before the key itself, for keys of this size.
const PKCS8_PREFIX_BYTES: usize = 26;

// Generated on first use, because it takes longer than everything else at the start.
static KEY: LazyLock<EncodingKey> = LazyLock::new(|| {
    let key = RsaKeyPair::generate(KeySize::Rsa2048).expect("an RSA key can be generated");
    let der: Pkcs8V1Der<'_> = key.as_der().expect("a generated key can be encoded");
    EncodingKey::from_rsa_der(&der.as_ref()[PKCS8_PREFIX_BYTES..])
});

fn issuer(origin: &str, tenant: &str) -> String {
    format!("{origin}/{tenant}/v2.0")
}

/// The provider metadata of `OpenID` Connect Discovery.
pub(super) fn metadata(origin: &str, tenant: &str) -> Value {
    let endpoint = |name: &str| format!("{origin}/{tenant}/oauth2/v2.0/{name}");
    json!({
        "issuer": issuer(origin, tenant),
        "authorization_endpoint": endpoint("authorize"),
        "token_endpoint": endpoint("token"),
        "device_authorization_endpoint": endpoint("devicecode"),
        "jwks_uri": format!("{origin}/{tenant}/discovery/v2.0/keys"),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query", "fragment", "form_post"],
        "grant_types_supported": [
            "authorization_code", "refresh_token", "client_credentials",
            "urn:ietf:params:oauth:grant-type:device_code",
        ],
        "token_endpoint_auth_methods_supported": [
            "client_secret_post", "client_secret_basic", "private_key_jwt",
        ],
        "token_endpoint_auth_signing_alg_values_supported": ["RS256", "PS256"],
        "code_challenge_methods_supported": ["S256"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "claims_supported": [
            "sub", "iss", "aud", "exp", "iat", "nbf", "nonce", "name", "preferred_username",
            "oid", "tid", "ver",
        ],
        "request_uri_parameter_supported": false,
    })
}

/// The public keys, as a JSON Web Key Set.
pub(super) fn keys() -> Value {
    let key = Jwk::from_encoding_key(&KEY, Algorithm::RS256).expect("the key is an RSA key");
    let mut key = serde_json::to_value(key).expect("a key is plain JSON");
    key["use"] = "sig".into();
    key["kid"] = KEY_ID.into();
    json!({ "keys": [key] })
}

/// A signed ID token of the person who signed in.
pub(super) fn id_token(origin: &str, tenant: &str, nonce: Option<&str>) -> String {
    let now = now().timestamp();
    let mut claims = json!({
        "iss": issuer(origin, tenant),
        "aud": CLIENT_ID,
        "sub": "simulated-administrator",
        "iat": now,
        "nbf": now,
        "exp": now + ID_TOKEN_TTL_SECS,
        "name": "Partner Administrator",
        "preferred_username": USER_NAME,
        "oid": USER_ID,
        "tid": TENANT_ID,
        "ver": "2.0",
    });
    if let Some(nonce) = nonce {
        claims["nonce"] = nonce.into();
    }
    let header = Header {
        kid: Some(KEY_ID.to_owned()),
        ..Header::new(Algorithm::RS256)
    };
    encode(&header, &claims, &KEY).expect("the key can sign plain JSON")
}

/// The value of `client_info`: the ids of the person and the tenant, for Microsoft's libraries.
pub(super) fn client_info() -> String {
    URL_SAFE_NO_PAD.encode(json!({ "uid": USER_ID, "utid": TENANT_ID }).to_string())
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{DecodingKey, Validation, decode};

    use super::*;

    #[test]
    fn an_id_token_is_signed_with_the_published_key() {
        let token = id_token("https://a", "t", Some("n"));
        let key: Jwk = serde_json::from_value(keys()["keys"][0].clone()).unwrap();
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_audience(&[CLIENT_ID]);
        validation.set_issuer(&["https://a/t/v2.0"]);
        let key = DecodingKey::from_jwk(&key).unwrap();
        let verified = decode::<Value>(&token, &key, &validation).unwrap();
        assert_eq!(verified.claims["nonce"], "n");
        assert_eq!(verified.header.kid.as_deref(), Some(KEY_ID));
    }
}
