//! Everything that the sign-in has issued and still has to recognize: tokens and codes.

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    authorization_codes::AuthorizationCodes,
    device_codes::DeviceCodes,
    entra_error::{EntraError, required},
    registration::{CLIENT_ID, USER_NAME},
};
use crate::{clock::now, settings::SimulatorSettings, wire::Form};

/// The refresh token that is valid from the start.
const FIRST_REFRESH_TOKEN: &str = "sim-refresh-0";

/// The resource of a scope that names none.
const RESOURCE: &str = "https://api.partnercenter.microsoft.com";

const DAY: Duration = Duration::from_hours(24);

/// What kind of bearer token the API was called with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bearer {
    User,
    AppOnly,
    Expired,
    Unknown,
}

/// The tokens and codes that were issued.
#[derive(Debug)]
pub(crate) struct Issued {
    refresh_tokens: HashSet<String>,
    revoked_refresh_tokens: HashSet<String>,
    refresh_token_count: u64,
    access_tokens: HashMap<String, AccessToken>,
    pub(crate) device_codes: DeviceCodes,
    pub(super) authorization_codes: AuthorizationCodes,
}

#[derive(Debug)]
struct AccessToken {
    expires: Instant,
    app_only: bool,
}

impl Issued {
    pub(crate) fn new() -> Self {
        Self {
            refresh_tokens: HashSet::from([FIRST_REFRESH_TOKEN.to_owned()]),
            revoked_refresh_tokens: HashSet::new(),
            refresh_token_count: 0,
            access_tokens: HashMap::new(),
            device_codes: DeviceCodes::default(),
            authorization_codes: AuthorizationCodes::default(),
        }
    }

    pub(crate) fn bearer(&self, token: &str, now: Instant) -> Bearer {
        match self.access_tokens.get(token) {
            None => Bearer::Unknown,
            Some(access) if access.expires <= now => Bearer::Expired,
            Some(access) if access.app_only => Bearer::AppOnly,
            Some(_) => Bearer::User,
        }
    }

    /// Makes all access tokens issued so far invalid.
    pub(crate) fn revoke_access_tokens(&mut self) {
        self.access_tokens.clear();
    }

    /// Revokes all refresh tokens issued so far. They are then refused with AADSTS50173.
    pub(crate) fn revoke_refresh_tokens(&mut self) {
        self.revoked_refresh_tokens
            .extend(self.refresh_tokens.drain());
    }

    /// Issues an access token of a user: shaped like the real ones, but unsigned.
    pub(crate) fn issue_user_token(
        &mut self,
        settings: &SimulatorSettings,
        audience: &str,
    ) -> String {
        let mut claims = claims(settings, audience);
        if settings.amr && settings.mfa {
            claims["amr"] = json!(["pwd", "mfa"]);
        } else if settings.amr {
            claims["amr"] = json!(["pwd"]);
        }
        claims["scp"] = "user_impersonation".into();
        claims["upn"] = USER_NAME.into();
        self.issue_access_token(settings, &claims, false)
    }

    /// Issues an access token of the application itself.
    pub(super) fn issue_app_token(
        &mut self,
        settings: &SimulatorSettings,
        audience: &str,
    ) -> String {
        self.issue_access_token(settings, &claims(settings, audience), true)
    }

    fn issue_access_token(
        &mut self,
        settings: &SimulatorSettings,
        claims: &Value,
        app_only: bool,
    ) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let header = part(&json!({ "typ": "JWT", "alg": "none" }));
        let token = format!("{header}.{}.unsigned", part(claims));
        let now = Instant::now();
        // From a day after its expiry on, a token is unknown rather than expired.
        self.access_tokens
            .retain(|_, access| access.expires + DAY > now);
        let lifetime = Duration::from_secs(settings.access_token_ttl_secs);
        let access = AccessToken {
            expires: now + lifetime.min(DAY * 365),
            app_only,
        };
        self.access_tokens.insert(token.clone(), access);
        token
    }

    pub(super) fn issue_refresh_token(&mut self) -> String {
        self.refresh_token_count += 1;
        let token = format!("sim-refresh-{}", self.refresh_token_count);
        self.refresh_tokens.insert(token.clone());
        token
    }

    /// Checks the refresh token in a token request.
    pub(super) fn redeem_refresh_token(
        &mut self,
        settings: &SimulatorSettings,
        form: &Form,
    ) -> Result<(), EntraError> {
        let token = required(form, "refresh_token")?;
        if self.revoked_refresh_tokens.contains(token) {
            return Err(EntraError::new(50_173));
        }
        if !self.refresh_tokens.contains(token) {
            return Err(EntraError::new(9_002_313));
        }
        if settings.single_use_refresh_tokens {
            self.refresh_tokens.remove(token);
        }
        Ok(())
    }
}

/// The claims that tokens of users and of the application have in common.
fn claims(settings: &SimulatorSettings, audience: &str) -> Value {
    let issued_at = now().timestamp();
    json!({
        "aud": settings.audience.as_deref().unwrap_or(audience),
        "iss": "https://sts.windows.net/simulator/",
        "iat": issued_at,
        "nbf": issued_at,
        "exp": issued_at.saturating_add_unsigned(settings.access_token_ttl_secs),
        "appid": CLIENT_ID,
        "uti": Uuid::new_v4(),
        "ver": "1.0",
    })
}

/// The resource of a scope, such as `https://host` of `https://host/.default offline_access`.
pub(super) fn audience(scope: &str) -> String {
    let resource = scope
        .split(' ')
        .filter_map(|part| part.rsplit_once('/'))
        .map(|(resource, _)| resource.trim_end_matches('/'))
        .find(|resource| resource.starts_with("http"));
    resource.unwrap_or(RESOURCE).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(token: &str) -> Form {
        Form::from([("refresh_token".to_owned(), token.to_owned())])
    }

    #[test]
    fn an_old_refresh_token_stays_valid_unless_they_are_single_use() {
        let mut settings = SimulatorSettings::default();
        let mut issued = Issued::new();
        let first = form(FIRST_REFRESH_TOKEN);
        assert_eq!(issued.redeem_refresh_token(&settings, &first), Ok(()));
        assert_eq!(issued.redeem_refresh_token(&settings, &first), Ok(()));
        let next = form(&issued.issue_refresh_token());
        settings.single_use_refresh_tokens = true;
        assert_eq!(issued.redeem_refresh_token(&settings, &next), Ok(()));
        assert_eq!(
            issued.redeem_refresh_token(&settings, &next),
            Err(EntraError::new(9_002_313))
        );
    }

    #[test]
    fn an_access_token_is_valid_until_it_expires() {
        let mut issued = Issued::new();
        let token = issued.issue_user_token(&SimulatorSettings::default(), RESOURCE);
        let now = Instant::now();
        assert_eq!(issued.bearer(&token, now), Bearer::User);
        let later = now + Duration::from_secs(3601);
        assert_eq!(issued.bearer(&token, later), Bearer::Expired);
        issued.revoke_access_tokens();
        assert_eq!(issued.bearer(&token, now), Bearer::Unknown);
    }

    #[test]
    fn the_audience_is_the_resource_of_the_scope() {
        assert_eq!(
            audience("http://127.0.0.1:9/.default offline_access"),
            "http://127.0.0.1:9"
        );
        assert_eq!(audience("offline_access"), RESOURCE);
    }
}
