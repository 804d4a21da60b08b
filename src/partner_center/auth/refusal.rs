//! A refusal in words: what was refused, why, and what a person has to do in this installation.

use super::aadsts::{self, Meaning, Remedy};
use super::answers::TokenAnswer;
use super::oauth::OauthError;
use crate::config::{App, ClientCredential};

/// What was presented to be exchanged for a token, and so what a refusal is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presented {
    /// The token that earlier sign-ins left.
    RefreshToken,
    /// What a browser brought.
    AuthorizationCode,
    /// What a person approves elsewhere.
    DeviceCode,
    /// The application's own credentials.
    App,
    /// Nothing yet: a sign-in was to begin.
    Nothing,
}

impl Presented {
    fn name(self) -> &'static str {
        match self {
            Self::RefreshToken => "the refresh token",
            Self::AuthorizationCode => "the authorization code of this sign-in",
            Self::DeviceCode => "the device code of this sign-in",
            Self::App => "the app's sign-in",
            Self::Nothing => "the sign-in",
        }
    }
}

/// What an answer with an error comes to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Judged {
    /// It is to be asked again.
    Passing {
        what: String,
        /// Not before a while.
        slowly: bool,
    },
    Refused {
        code: String,
        meaning: String,
        remedy: String,
    },
}

/// Judges an answer. `asks_to_wait`: it came with a wish when to come again.
pub(super) fn judge(
    error: OauthError,
    answer: &TokenAnswer,
    presented: Presented,
    app: &App,
    asks_to_wait: bool,
) -> Judged {
    let codes = answer.aadsts();
    let code = match codes.first() {
        Some(code) => format!("{}, AADSTS{code}", error.name()),
        None => error.name().to_owned(),
    };
    // Of several codes one that passes tells why the others are there.
    let passes =
        |meaning: &Meaning| matches!(meaning, Meaning::Passing(_) | Meaning::PassingSlowly(_));
    let listed = || codes.iter().filter_map(|code| aadsts::meaning(*code));
    let by_itself = error.meaning();
    let meaning = listed()
        .find(passes)
        .or_else(|| Some(by_itself).filter(passes))
        .or_else(|| listed().next())
        .unwrap_or(by_itself);
    let is_listed = listed().next().is_some();
    let (meaning, remedy) = match meaning {
        Meaning::Passing(what) => {
            return Judged::Passing {
                what: format!("{what} ({code})"),
                slowly: false,
            };
        }
        Meaning::PassingSlowly(what) => {
            return Judged::Passing {
                what: format!("{what} ({code})"),
                slowly: true,
            };
        }
        _ if !is_listed && (asks_to_wait || answer.says_it_passes()) => {
            return Judged::Passing {
                what: format!("it asks to come again later ({code})"),
                slowly: false,
            };
        }
        Meaning::Grant(what) => (format!("{} {what}", presented.name()), Remedy::SignIn),
        Meaning::Other(what, remedy) => (what.to_owned(), remedy),
    };
    Judged::Refused {
        code,
        meaning,
        remedy: in_words(remedy, presented, app),
    }
}

fn in_words(remedy: Remedy, presented: Presented, app: &App) -> String {
    let again = match presented {
        Presented::RefreshToken => "sign in again: seatledger --config FILE login",
        Presented::AuthorizationCode | Presented::DeviceCode | Presented::Nothing => {
            "begin again: seatledger --config FILE login"
        }
        Presented::App => "look at the app's registration in Microsoft Entra ID",
    };
    let words = match remedy {
        Remedy::SignIn => again,
        Remedy::SignInAsAnother => "sign in again as another user: seatledger --config FILE login",
        Remedy::Consent => match presented {
            Presented::App => {
                "have an administrator grant the app its permissions in Microsoft Entra ID"
            }
            Presented::RefreshToken
            | Presented::AuthorizationCode
            | Presented::DeviceCode
            | Presented::Nothing => {
                "sign in again and consent, or have an administrator consent: seatledger --config FILE login"
            }
        },
        Remedy::Policy => {
            return format!("have the policy admit this app from this machine, then {again}");
        }
        Remedy::App => "compare auth.tenant_id and auth.client_id with the app registration",
        Remedy::Authority => {
            "compare auth.authority and partner_center.cloud with the tenant's cloud"
        }
        Remedy::Scope => "compare auth.scope and auth.tenant_id with the app registration",
        Remedy::RedirectUri => {
            "register the redirect URI http://localhost with the app in Microsoft Entra ID"
        }
        Remedy::NewSecret => return new_secret(app),
        Remedy::AnyCredential => "set auth.client_secret or auth.client_certificate_file",
        Remedy::NoCredential => {
            "register the redirect URI http://localhost for the platform Web, or leave auth.client_secret and auth.client_certificate_file away"
        }
        Remedy::Credentials => match &app.credential {
            Some(ClientCredential::CertificateFile(_)) => return register_certificate(app),
            Some(ClientCredential::Secret(_)) => return new_secret(app),
            None => "set auth.client_secret or auth.client_certificate_file",
        },
        Remedy::RegisterCertificate => return register_certificate(app),
        Remedy::Clock => "check this machine's clock, auth.authority and auth.tenant_id",
        Remedy::LookUp => "look the code up in Microsoft's list of sign-in error codes",
    };
    words.to_owned()
}

fn new_secret(app: &App) -> String {
    let place = app.credential_place.as_deref();
    let place = place.unwrap_or("auth.client_secret");
    format!(
        "make a new client secret in Microsoft Entra ID, put its value into {place}, and start seatledger again"
    )
}

fn register_certificate(app: &App) -> String {
    let place = app.credential_place.as_deref();
    let place = place.unwrap_or("auth.client_certificate_file");
    format!(
        "register the certificate with the app in Microsoft Entra ID, or put the right one into {place}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::SecretString;

    fn app(place: Option<&str>) -> App {
        App {
            tenant_id: "t".to_owned(),
            client_id: "c".to_owned(),
            credential: Some(ClientCredential::Secret(SecretString::from("s"))),
            credential_place: place.map(str::to_owned),
        }
    }

    fn judged(error: &str, codes: &[u32], presented: Presented, waits: bool) -> Judged {
        let answer = serde_json::json!({ "error": error, "error_codes": codes });
        let answer: TokenAnswer = serde_json::from_value(answer).unwrap();
        let place = "the systemd credential client_secret";
        judge(
            OauthError::named(error),
            &answer,
            presented,
            &app(Some(place)),
            waits,
        )
    }

    fn passes(error: &str, codes: &[u32], waits: bool) -> bool {
        let judged = judged(error, codes, Presented::RefreshToken, waits);
        matches!(judged, Judged::Passing { .. })
    }

    #[test]
    fn what_passes_by_itself_is_never_called_dead() {
        for code in [
            40_010, 50_000, 50_033, 50_053, 50_087, 50_088, 50_166, 50_196, 70_012, 80_002, 90_006,
            90_012, 90_024, 90_025, 90_033, 90_036, 90_055, 90_090, 90_091,
        ] {
            for error in ["invalid_grant", "invalid_client", "unknown"] {
                assert!(passes(error, &[code], false), "{error} {code}");
            }
        }
        for error in ["server_error", "temporarily_unavailable"] {
            for codes in [&[][..], &[7_777_777], &[50_173]] {
                assert!(passes(error, codes, false), "{error} {codes:?}");
            }
        }
        assert!(passes("invalid_grant", &[50_173, 90_033], false));
        // Who says when to come again means it, unless the code is one that does not pass.
        assert!(passes("invalid_request", &[7_777_777], true));
        assert!(!passes("invalid_grant", &[50_173], true));
        for codes in [&[][..], &[7_777_777], &[700_082], &[50_076]] {
            assert!(!passes("invalid_grant", codes, false), "{codes:?}");
        }
    }

    #[test]
    fn a_description_that_speaks_of_a_transient_fault_is_believed_where_the_code_is_not_known() {
        for (description, passes) in [
            (
                "AADSTS7777777: A transient error has occurred. Please try again.",
                true,
            ),
            (
                "AADSTS7777777: The service is temporarily unavailable.",
                true,
            ),
            ("AADSTS7777777: This is not so.", false),
            (
                "AADSTS50173: revoked. A transient error has occurred.",
                false,
            ),
        ] {
            let answer = serde_json::json!({ "error_description": description });
            let answer: TokenAnswer = serde_json::from_value(answer).unwrap();
            let judged = judge(
                OauthError::InvalidGrant,
                &answer,
                Presented::RefreshToken,
                &app(None),
                false,
            );
            let is_passing = matches!(judged, Judged::Passing { .. });
            assert_eq!(is_passing, passes, "{description}");
        }
    }

    #[test]
    fn a_refusal_is_about_what_was_presented() {
        for (presented, word) in [
            (Presented::RefreshToken, "refresh token"),
            (Presented::AuthorizationCode, "authorization code"),
            (Presented::DeviceCode, "device code"),
        ] {
            for codes in [&[][..], &[70_008], &[70_000]] {
                let Judged::Refused { meaning, .. } =
                    judged("invalid_grant", codes, presented, false)
                else {
                    panic!("{presented:?} passes");
                };
                assert!(meaning.contains(word), "{meaning}");
            }
        }
    }

    #[test]
    fn a_secret_is_to_be_renewed_where_it_really_is() {
        for code in [7_000_222, 7_000_215] {
            let judged = judged("invalid_client", &[code], Presented::App, false);
            let Judged::Refused { remedy, .. } = judged else {
                panic!("{code} passes");
            };
            assert!(
                remedy.contains("the systemd credential client_secret"),
                "{remedy}"
            );
            assert!(!remedy.contains("auth.client_secret"), "{remedy}");
        }
    }
}
