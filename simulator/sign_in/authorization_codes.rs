//! Authorization codes, from the redirect of the browser to their exchange for tokens.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use uuid::Uuid;

use super::entra_error::{EntraError, required};
use crate::wire::Form;

const LIFETIME: Duration = Duration::from_mins(10);

/// What an authorization code was issued for.
#[derive(Debug)]
pub(super) struct Authorization {
    pub(super) redirect_uri: String,
    /// The PKCE challenge.
    pub(super) challenge: Option<String>,
    pub(super) scope: String,
    pub(super) nonce: Option<String>,
}

/// The codes that were issued and not redeemed yet.
#[derive(Debug, Default)]
pub(super) struct AuthorizationCodes(HashMap<String, (Authorization, Instant)>);

impl AuthorizationCodes {
    pub(super) fn issue(&mut self, authorization: Authorization) -> String {
        let code = format!("sim-code-{}", Uuid::new_v4().simple());
        let expires = Instant::now() + LIFETIME;
        self.0.insert(code.clone(), (authorization, expires));
        code
    }

    /// Redeems the code in a token request. An application that is not `authenticated` needs PKCE.
    pub(super) fn redeem(
        &mut self,
        form: &Form,
        authenticated: bool,
    ) -> Result<Authorization, EntraError> {
        let code = self.0.remove(required(form, "code")?);
        let (authorization, expires) = code.ok_or_else(|| EntraError::new(54_005))?;
        if expires <= Instant::now() {
            return Err(EntraError::new(70_008));
        }
        if authorization.redirect_uri != required(form, "redirect_uri")? {
            return Err(EntraError::new(500_112));
        }
        match &authorization.challenge {
            Some(challenge) => {
                let verifier = required(form, "code_verifier")?;
                let hash = digest(&SHA256, verifier.as_bytes());
                if *challenge != URL_SAFE_NO_PAD.encode(hash) {
                    return Err(EntraError::new(501_481));
                }
            }
            None if authenticated => {}
            None => return Err(EntraError::new(7_000_218)),
        }
        Ok(authorization)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const URI: &str = "http://localhost:1";
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    /// The hash of `VERIFIER`.
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    /// The errors of redeeming the same code twice.
    fn redeem_twice(challenge: Option<&str>, form: &[(&str, &str)]) -> [Option<u32>; 2] {
        let mut codes = AuthorizationCodes::default();
        let code = codes.issue(Authorization {
            redirect_uri: URI.to_owned(),
            challenge: challenge.map(str::to_owned),
            scope: String::new(),
            nonce: None,
        });
        let form: Form = [("code", &*code)]
            .iter()
            .chain(form)
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        [(), ()].map(|()| codes.redeem(&form, false).err().map(|error| error.code))
    }

    #[test]
    fn a_code_is_redeemed_once_and_with_its_redirect_uri_and_verifier() {
        let redirect = ("redirect_uri", URI);
        let verifier = ("code_verifier", VERIFIER);
        for (challenge, form, error) in [
            (Some(CHALLENGE), [redirect, verifier], None),
            (
                Some(CHALLENGE),
                [redirect, ("code_verifier", "another")],
                Some(501_481),
            ),
            (
                Some(CHALLENGE),
                [("redirect_uri", "http://localhost:2"), verifier],
                Some(500_112),
            ),
            (None, [redirect, verifier], Some(7_000_218)),
        ] {
            assert_eq!(redeem_twice(challenge, &form), [error, Some(54_005)]);
        }
    }
}
