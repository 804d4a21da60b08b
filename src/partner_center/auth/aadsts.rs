//! Microsoft's sign-in codes in plain words, with what to do about each.

/// What a sign-in code means and asks for.
pub(super) struct Advice {
    pub(super) meaning: &'static str,
    pub(super) remedy: &'static str,
}

const SIGN_IN_AGAIN: &str = "sign in again: seatledger --config FILE login";
const NEW_SECRET: &str =
    "make a new client secret in Microsoft Entra ID and put it in auth.client_secret";
const CHECK_APP: &str = "compare auth.tenant_id and auth.client_id with the app registration";

/// Looks a code up; the number after `AADSTS`.
pub(super) fn advice(code: Option<u32>, error: &str) -> Advice {
    let (meaning, remedy) = match code {
        Some(50_076 | 50_079) => (
            "multi-factor authentication is demanded and the refresh token was issued without it",
            SIGN_IN_AGAIN,
        ),
        Some(50_078) => (
            "the multi-factor authentication has expired by the tenant's policy",
            SIGN_IN_AGAIN,
        ),
        Some(700_082) => (
            "the refresh token has expired because it was not used for 90 days",
            SIGN_IN_AGAIN,
        ),
        Some(70_008 | 700_084) => ("the refresh token has expired", SIGN_IN_AGAIN),
        Some(50_173) => (
            "the refresh token was revoked, for example by a changed password",
            SIGN_IN_AGAIN,
        ),
        Some(70_043) => (
            "the tenant's sign-in frequency policy has ended the session",
            SIGN_IN_AGAIN,
        ),
        Some(50_126) => ("the user name or password is wrong", SIGN_IN_AGAIN),
        Some(50_057) => (
            "the user who signed in is disabled",
            "sign in again as another user: seatledger --config FILE login",
        ),
        Some(53_003) => (
            "a Conditional Access policy of the tenant blocks the sign-in",
            "have the policy admit this app, then sign in again: seatledger --config FILE login",
        ),
        Some(65_001) => (
            "nobody has consented to this app yet",
            "sign in again and consent: seatledger --config FILE login",
        ),
        Some(135_010) => (
            "the certificate or key of the sign-in is gone",
            SIGN_IN_AGAIN,
        ),
        Some(7_000_222) => ("the client secret has expired", NEW_SECRET),
        Some(7_000_215) => ("the client secret is wrong", NEW_SECRET),
        Some(7_000_218) => (
            "the app demands a client secret or certificate",
            "set auth.client_secret or auth.client_certificate_file",
        ),
        Some(700_025) => (
            "the app signs people in as a public client and takes no client secret or certificate then",
            "register the redirect URI http://localhost for the platform Web, or leave auth.client_secret and auth.client_certificate_file away",
        ),
        Some(700_027) => (
            "the client certificate is not the one registered with the app",
            "register the certificate in auth.client_certificate_file with the app in Microsoft Entra ID",
        ),
        Some(700_023 | 700_024) => (
            "the statement signed with the client certificate is not taken",
            "check this machine's clock, auth.authority and auth.tenant_id",
        ),
        Some(50_011 | 500_112) => (
            "the app does not know the redirect URI",
            "register the redirect URI http://localhost with the app in Microsoft Entra ID",
        ),
        Some(54_005 | 501_481) => ("the authorization code cannot be redeemed", SIGN_IN_AGAIN),
        Some(700_016) => ("the app is not known in this tenant", CHECK_APP),
        Some(90_002) => ("the tenant is not known", CHECK_APP),
        Some(500_011) => (
            "Partner Center is not known under this scope in the tenant",
            "compare auth.scope and auth.tenant_id with the app registration",
        ),
        _ => match error {
            "invalid_client" => (
                "the app's credentials were refused",
                "compare auth.client_secret or auth.client_certificate_file with the app registration",
            ),
            "access_denied" | "authorization_declined" => (
                "the person declined, or may not consent to this app",
                SIGN_IN_AGAIN,
            ),
            "unauthorized_client" => ("the app may not use this kind of sign-in", CHECK_APP),
            "invalid_scope" => ("the scope was refused", "check auth.scope"),
            "invalid_grant" | "interaction_required" => {
                ("the refresh token is no longer accepted", SIGN_IN_AGAIN)
            }
            _ => (
                "Microsoft's sign-in service refused",
                "look the code up in Microsoft's list of sign-in error codes",
            ),
        },
    };
    Advice { meaning, remedy }
}
