//! What can go wrong in signing in. Each message tells a person what to do.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::oauth::OauthError;
use super::refusal::Grant;
use super::storage::durable_file::target_of;
use crate::partner_center::transport::barrier::Barrier;
use crate::retry::{Classify, Disposition, Remedy, passes_by_itself, remedy_of_io};

/// What to do if the token's file cannot be replaced.
fn advice_on_writing(error: &io::Error) -> &'static str {
    use io::ErrorKind as Kind;
    if passes_by_itself(error) {
        return "this machine is short of open files or memory, which may pass";
    }
    match error.kind() {
        Kind::StorageFull | Kind::QuotaExceeded | Kind::FileTooLarge => {
            "free space on that file system"
        }
        Kind::ReadOnlyFilesystem => {
            "its file system is mounted read-only: mount it for writing, or set \
             auth.refresh_token_file to a path that can be written"
        }
        // EPERM, not EACCES: the obstacle is more than the file's mode.
        Kind::PermissionDenied if error.raw_os_error() == Some(1) => {
            "it may be marked as immutable (lsattr), or belong to another user in a folder with \
             the \
             sticky bit, where only the owner may delete a file"
        }
        Kind::NotFound | Kind::NotADirectory => {
            "create the folder of the file, or set auth.refresh_token_file to a path that can be \
             written"
        }
        Kind::IsADirectory => {
            "it is a folder; container platforms create one if the file to be mounted does not \
             exist"
        }
        Kind::InvalidInput => "set auth.refresh_token_file to a regular file",
        _ => {
            "let the service's user write the file or its folder, or set auth.refresh_token_file \
             to \
             a path that can be written"
        }
    }
}

/// What to do if the token's file cannot be read; empty if the cause is not plain.
fn advice_on_reading(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            " by this user; if another user has signed in for the service, give the file to the \
             service's user (chown), or sign in as that user"
        }
        _ => "",
    }
}

/// Sign-in failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AuthError {
    /// The authority refuses the grant; retrying does not help.
    #[error("sign-in refused ({code}): {meaning}; {remedy}")]
    Refused {
        /// The OAuth error, such as `invalid_grant`.
        error: OauthError,
        /// The grant that was refused.
        grant: Grant,
        /// The error name, and Microsoft's own code if there is one.
        code: String,
        /// The same in plain words.
        meaning: String,
        /// What a person has to do.
        remedy: String,
    },
    /// There is nothing to sign in with.
    #[error(
        "there is no refresh token yet, neither in {} nor in auth.refresh_token; sign in first: \
         seatledger --config FILE login",
        path.display()
    )]
    NoRefreshToken {
        /// The file that does not exist or is blank.
        path: PathBuf,
    },
    /// The stored token cannot be read.
    #[error(
        "the refresh token in {} cannot be read{}",
        path.display(),
        advice_on_reading(source)
    )]
    StoreUnreadable {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: Arc<io::Error>,
    },
    /// The next token could not be stored, so none was requested.
    #[error(
        "the refresh token's file {place} cannot be replaced, so no token was requested and none \
         is \
         spent; {advice}"
    )]
    StoreUnwritable {
        /// The file, and its target if it is a symbolic link.
        place: String,
        /// What to do.
        advice: &'static str,
        /// The cause.
        #[source]
        source: Arc<io::Error>,
    },
    /// The next token was issued and could not be stored.
    #[error(
        "the renewed refresh token could not be saved in {}, so the access token is not used",
        path.display()
    )]
    NotSaved {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: Arc<io::Error>,
    },
    /// The authority does not respond, or asks to try again later.
    #[error("the sign-in service {authority} is not available: {what}")]
    Unavailable {
        /// The authority's origin.
        authority: String,
        /// What happened.
        what: String,
        /// How long it asked us to wait.
        retry_after: Option<Duration>,
    },
    /// The authority's host name does not resolve.
    #[error("the sign-in service {to} cannot be found: {what}")]
    NotFound {
        /// Its host, and the proxy in between.
        to: String,
        /// What the resolver said.
        what: String,
    },
    /// The authority cannot be reached until a person has acted.
    #[error(transparent)]
    Barred(Barrier),
    /// The authority reported success without a usable token.
    #[error(
        "the sign-in service {authority} responded without a usable {what} ({summary}); if the \
         response is a web page, a proxy or portal may have sent it, otherwise check auth.authority"
    )]
    NoToken {
        /// The authority's origin.
        authority: String,
        /// What is missing.
        what: &'static str,
        /// Status and content type of the response.
        summary: String,
    },
    /// The authority issues tokens of a type that the API does not take.
    #[error(
        "the sign-in service {authority} issued a token of type {kind}, but Partner Center takes \
         only Bearer tokens; check auth.authority and auth.scope"
    )]
    UnsupportedTokenType {
        /// The authority's origin.
        authority: String,
        /// The type.
        kind: String,
    },
    /// The configured access token cannot be sent in a header.
    #[error("auth.access_token cannot be sent: it holds characters that no token has")]
    UnusableSetting,
    /// Partner Center refuses the token that the authority issued.
    #[error("Partner Center refuses every call with the token it was given ({fault}); {advice}")]
    TokenRefused {
        /// The API's own words.
        fault: String,
        /// What to do.
        advice: &'static str,
        /// A person if the API names its reason, otherwise time: an API with a fault of its own
        /// refuses every token as well.
        remedy: Remedy,
    },
    /// The certificate that is used in place of the client secret cannot be read.
    #[error("the client certificate {} cannot be read", path.display())]
    CertificateUnreadable {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: Arc<io::Error>,
    },
    /// The certificate that is used in place of the client secret cannot be used.
    #[error("the client certificate {} cannot be used: {problem}", path.display())]
    CertificateUnusable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, without any of its text.
        problem: String,
    },
    /// The person signed in without multi-factor authentication.
    #[error(
        "the sign-in was without multi-factor authentication, and Partner Center refuses every \
         call \
         with such a token; require multi-factor authentication of this user, then sign in again: \
         seatledger --config FILE login"
    )]
    NoMfa,
    /// The access token is for another API.
    #[error(
        "the access token is for {audience}, not for Partner Center, which would refuse every call \
         with it; check auth.scope, which is Partner Center's by default \
         (https://graph.windows.net is no longer accepted), then sign in again: \
         seatledger --config FILE login"
    )]
    WrongAudience {
        /// The audience that the token names.
        audience: String,
    },
    /// The browser's redirect did not come in time.
    #[error(
        "nobody signed in within 15 minutes; begin again: seatledger --config FILE login, or, \
         without a browser on this machine, with --device-code"
    )]
    LoginTimedOut,
    /// There is no port for the browser's redirect.
    #[error("no port of 127.0.0.1 can be opened; sign in with --device-code instead")]
    NoLoopbackPort(#[source] Arc<io::Error>),
    /// The operating system returns no random numbers.
    #[error("this machine provides no random numbers to protect the sign-in with")]
    NoRandomness,
    /// The device code expired before the person signed in.
    #[error("the code has expired; begin again: seatledger --config FILE login")]
    CodeExpired,
}

impl AuthError {
    /// The token's file cannot be replaced.
    pub(super) fn unwritable(file: &Path, error: io::Error) -> Self {
        let place = match target_of(file) {
            Ok(target) if target != file => {
                format!("{} (a link to {})", file.display(), target.display())
            }
            Ok(_) | Err(_) => file.display().to_string(),
        };
        Self::StoreUnwritable {
            place,
            advice: advice_on_writing(&error),
            source: Arc::new(error),
        }
    }

    /// Whether the refresh token itself is refused, so that another one could be accepted.
    pub(super) fn is_invalid_refresh_token(&self) -> bool {
        matches!(
            self,
            Self::Refused {
                error: OauthError::InvalidGrant | OauthError::InteractionRequired,
                grant: Grant::RefreshToken,
                ..
            }
        )
    }
}

impl Classify for AuthError {
    fn disposition(&self) -> Disposition {
        match self {
            Self::Unavailable { retry_after, .. } => Disposition::Retry {
                after: *retry_after,
            },
            Self::NotFound { .. } => Disposition::Retry { after: None },
            Self::StoreUnreadable { source, .. }
            | Self::StoreUnwritable { source, .. }
            | Self::NotSaved { source, .. }
            | Self::CertificateUnreadable { source, .. }
            | Self::NoLoopbackPort(source) => {
                Disposition::AbortRun(remedy_of_io(source, Remedy::Person))
            }
            Self::Barred(_)
            | Self::Refused { .. }
            | Self::NoRefreshToken { .. }
            | Self::UnsupportedTokenType { .. }
            | Self::UnusableSetting
            | Self::CertificateUnusable { .. }
            | Self::NoMfa
            | Self::WrongAudience { .. }
            | Self::LoginTimedOut
            | Self::NoRandomness
            | Self::CodeExpired => Disposition::AbortRun(Remedy::Person),
            Self::TokenRefused { remedy, .. } => Disposition::AbortRun(*remedy),
            // A faulty authority also responds without a token.
            Self::NoToken { .. } => Disposition::AbortRun(Remedy::Time),
        }
    }

    fn is_likely_permanent(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unwritable_token_file_needs_a_person_unless_the_fault_is_transient() {
        for (code, remedy, said) in [
            (24, Remedy::Time, "may pass"),
            (28, Remedy::Person, "free space"),
            (122, Remedy::Person, "free space"),
            (30, Remedy::Person, "read-only"),
            (13, Remedy::Person, "let the service's user write"),
            (1, Remedy::Person, "lsattr"),
            (2, Remedy::Person, "create the folder"),
            (21, Remedy::Person, "it is a folder"),
        ] {
            let error = io::Error::from_raw_os_error(code);
            let error = AuthError::unwritable(Path::new("/nowhere/token"), error);
            assert_eq!(error.remedy(), remedy, "{error}");
            let error = error.to_string();
            assert!(
                error.contains(said) && error.contains("/nowhere/token"),
                "{error}"
            );
        }
    }
}
