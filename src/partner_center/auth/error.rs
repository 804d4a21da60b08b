//! What can go wrong in signing in, in words that tell a person what to do.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::kept_file::target_of;
use super::oauth::OauthError;
use super::refusal::Presented;
use crate::partner_center::transport::barrier::Barrier;
use crate::retry::{Classify, Disposition, Remedy, passes_by_itself, remedy_of_io};

/// What to do where the token's file cannot be replaced.
fn advice_about(error: &io::Error) -> &'static str {
    use io::ErrorKind as Kind;
    if passes_by_itself(error) {
        return "this machine is short of open files or memory just now, which may pass";
    }
    match error.kind() {
        Kind::StorageFull | Kind::QuotaExceeded | Kind::FileTooLarge => {
            "make room on that file system"
        }
        Kind::ReadOnlyFilesystem => {
            "it is on a file system that is mounted for reading only: mount it for writing, or set auth.refresh_token_file to a place that can be written"
        }
        // EPERM, and not EACCES: there is more in the way than modes.
        Kind::PermissionDenied if error.raw_os_error() == Some(1) => {
            "it may be marked as immutable (lsattr), or be another user's in a folder where each may delete only what is his own"
        }
        Kind::NotFound | Kind::NotADirectory => {
            "make the folder in which it is to lie, or set auth.refresh_token_file to a place that can be written"
        }
        Kind::IsADirectory => {
            "it is a folder, as container platforms make one of a file that is to be mounted and is not there"
        }
        Kind::InvalidInput => "set auth.refresh_token_file to a regular file",
        _ => {
            "let the service's user write the file or in its folder, or set auth.refresh_token_file to a place that can be written"
        }
    }
}

/// What to do where the token's file cannot be read, if that is plain.
fn advice_about_reading(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            " by this user, as when somebody else has signed in for the service; give the file to the service's user (chown), or sign in as that user"
        }
        _ => "",
    }
}

/// Sign-in failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AuthError {
    /// The authority refuses the grant; no retry mends that.
    #[error("sign-in refused ({code}): {meaning}; {remedy}")]
    Refused {
        /// The OAuth error, such as `invalid_grant`.
        error: OauthError,
        /// What it is said of.
        presented: Presented,
        /// The error, and Microsoft's own code where there is one.
        code: String,
        /// In plain words.
        meaning: String,
        /// What a person has to do.
        remedy: String,
    },
    /// There is nothing to sign in with.
    #[error(
        "there is no refresh token yet, neither in {} nor in auth.refresh_token; sign in first: seatledger --config FILE login",
        path.display()
    )]
    NoRefreshToken {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The kept token cannot be read.
    #[error("the refresh token in {} cannot be read{}", path.display(), advice_about_reading(source))]
    StoreUnreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Arc<io::Error>,
    },
    /// A renewed token could not be kept, so none was asked for.
    #[error(
        "the refresh token's file {place} cannot be replaced, so that no token was asked for and none is spent; {advice}"
    )]
    StoreUnwritable {
        /// The file, and what it leads to where it is a link.
        place: String,
        /// What to do.
        advice: &'static str,
        /// Why.
        #[source]
        source: Arc<io::Error>,
    },
    /// A renewed token came and could not be kept.
    #[error(
        "the renewed refresh token could not be kept in {}, so the access token is not used",
        path.display()
    )]
    NotKept {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Arc<io::Error>,
    },
    /// The authority does not answer, or asks to come later.
    #[error("the sign-in service {authority} gave no answer to sign in with: {what}")]
    Unavailable {
        /// Its origin.
        authority: String,
        /// What was seen instead.
        what: String,
        /// What it asked us to wait.
        retry_after: Option<Duration>,
    },
    /// The authority's name is not known here.
    #[error("the sign-in service {to} cannot be found: {what}")]
    NotFound {
        /// Its host, and the proxy in between.
        to: String,
        /// What the resolver said.
        what: String,
    },
    /// There is no way to the authority before a person has acted.
    #[error(transparent)]
    Barred(Barrier),
    /// The authority answered with success and without a usable token.
    #[error(
        "the sign-in service {authority} answered without a usable {what} ({seen}); if that is a page, something in between may have answered, else check auth.authority"
    )]
    NoToken {
        /// Its origin.
        authority: String,
        /// What is missing.
        what: &'static str,
        /// What the answer was instead.
        seen: String,
    },
    /// The authority gives tokens that the API does not take.
    #[error(
        "the sign-in service {authority} gave a token of the type {kind}, where Partner Center takes Bearer tokens only; check auth.authority and auth.scope"
    )]
    ForeignToken {
        /// Its origin.
        authority: String,
        /// The type.
        kind: String,
    },
    /// What the setting holds cannot be sent.
    #[error("auth.access_token cannot be sent: it holds what no token does")]
    UnusableSetting,
    /// Partner Center refuses the token that the authority gives.
    #[error("Partner Center refuses every call with the token it was given ({fault}); {advice}")]
    TokenRefused {
        /// The API's own words.
        fault: String,
        /// What to do.
        advice: &'static str,
        /// A person, where the API names its reason; an API that is out of order refuses every
        /// token, too.
        remedy: Remedy,
    },
    /// The certificate that stands in for the client secret cannot be read.
    #[error("the client certificate {} cannot be read", path.display())]
    CertificateUnreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Arc<io::Error>,
    },
    /// The certificate that stands in for the client secret cannot be used.
    #[error("the client certificate {} cannot be used: {problem}", path.display())]
    CertificateUnusable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, without any of its text.
        problem: String,
    },
    /// The person signed in, but without multi-factor authentication.
    #[error(
        "the sign-in was without multi-factor authentication, and Partner Center refuses every call with such a token; have multi-factor authentication demanded of this user, then sign in again: seatledger --config FILE login"
    )]
    NoMfa,
    /// The access token is for somebody else.
    #[error(
        "the access token is for {audience} and not for Partner Center, which would refuse every call with it; check auth.scope, which is Partner Center's unless it is set (https://graph.windows.net is no longer accepted), then sign in again: seatledger --config FILE login"
    )]
    WrongAudience {
        /// Whom it is for, as it says.
        audience: String,
    },
    /// The browser never came back.
    #[error(
        "nobody signed in within 15 minutes; begin again: seatledger --config FILE login, or, without a browser on this machine, with --device-code"
    )]
    NobodySignedIn,
    /// There is no port for the browser to come back to.
    #[error("no port of 127.0.0.1 can be listened on; sign in with --device-code instead")]
    Listening(#[source] Arc<io::Error>),
    /// The machine gives no random numbers.
    #[error("this machine gives no random numbers to protect the sign-in with")]
    NoRandomness,
    /// Nobody typed the code in time.
    #[error("the code has expired; begin again: seatledger --config FILE login")]
    CodeExpired,
    /// The program was asked to stop meanwhile.
    #[error("stopped while signing in")]
    Stopped,
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
            advice: advice_about(&error),
            source: Arc::new(error),
        }
    }

    /// Whether it is the refresh token that is refused, so that another could fare better.
    pub(super) fn is_dead_grant(&self) -> bool {
        matches!(
            self,
            Self::Refused {
                error: OauthError::InvalidGrant | OauthError::InteractionRequired,
                presented: Presented::RefreshToken,
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
            | Self::NotKept { source, .. }
            | Self::CertificateUnreadable { source, .. }
            | Self::Listening(source) => {
                Disposition::AbortRun(remedy_of_io(source, Remedy::Person))
            }
            Self::Barred(_)
            | Self::Refused { .. }
            | Self::NoRefreshToken { .. }
            | Self::ForeignToken { .. }
            | Self::UnusableSetting
            | Self::CertificateUnusable { .. }
            | Self::NoMfa
            | Self::WrongAudience { .. }
            | Self::NobodySignedIn
            | Self::NoRandomness
            | Self::CodeExpired => Disposition::AbortRun(Remedy::Person),
            Self::TokenRefused { remedy, .. } => Disposition::AbortRun(*remedy),
            // An authority that is out of order looks like this, too.
            Self::NoToken { .. } | Self::Stopped => Disposition::AbortRun(Remedy::Time),
        }
    }

    fn is_doubtful(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_keeps_a_token_from_being_kept_is_for_a_person_unless_it_passes() {
        for (code, remedy, said) in [
            (24, Remedy::Time, "may pass"),
            (28, Remedy::Person, "make room"),
            (122, Remedy::Person, "make room"),
            (30, Remedy::Person, "for reading only"),
            (13, Remedy::Person, "let the service's user write"),
            (1, Remedy::Person, "lsattr"),
            (2, Remedy::Person, "make the folder"),
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
