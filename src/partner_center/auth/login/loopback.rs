//! Receives the browser's redirect after a sign-in: a web server with one page, on the loopback
//! address. The first request with the right `state` ends it. Any other request, such as one for an
//! icon or a redirect of an earlier sign-in, gets an error page and changes nothing.

use std::future::IntoFuture as _;
use std::io;
use std::net::Ipv4Addr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::{Method, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use url::form_urlencoded;

use crate::partner_center::auth::error::AuthError;
use crate::retry::RetryError;
use crate::shutdown::{Shutdown, Stopped};

/// How long a person may take to sign in. [`AuthError::LoginTimedOut`] names the same time.
const LOGIN_TIMEOUT: Duration = Duration::from_mins(15);

/// How long the browser may take to receive the last page before the server stops.
const LAST_PAGE_TIMEOUT: Duration = Duration::from_secs(1);

/// What the redirect holds.
pub(super) enum Redirect {
    Code(SecretString),
    /// The name of an OAuth error, and its description.
    Refused(String, Option<String>),
}

/// A bound port that is not served yet.
pub(super) struct Loopback {
    listener: TcpListener,
    port: u16,
}

#[derive(Clone)]
struct Expected {
    state: Arc<str>,
    redirects: mpsc::Sender<Redirect>,
}

impl Loopback {
    pub(super) async fn bind() -> Result<Self, AuthError> {
        let bound = async {
            // The name localhost may also resolve to ::1; every browser then tries 127.0.0.1 next.
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            let port = listener.local_addr()?.port();
            io::Result::Ok(Self { listener, port })
        };
        bound.await.map_err(no_port)
    }

    /// The registered `http://localhost` with a port. The authority ignores the port when it
    /// compares the two, but nothing else, so there is no slash at the end.
    pub(super) fn redirect_uri(&self) -> String {
        format!("http://localhost:{}", self.port)
    }

    /// Waits for a redirect with `state`.
    pub(super) async fn redirect(
        self,
        state: &str,
        shutdown: &Shutdown,
    ) -> Result<Redirect, RetryError<AuthError>> {
        let (sender, mut redirects) = mpsc::channel(1);
        let done = CancellationToken::new();
        let router = Router::new().route("/", get(receive)).with_state(Expected {
            state: state.into(),
            redirects: sender,
        });
        let served = axum::serve(self.listener, router)
            .with_graceful_shutdown(done.clone().cancelled_owned());
        let mut served = pin!(served.into_future());
        let redirect = tokio::select! {
            biased;
            () = shutdown.graceful.cancelled() => Err(Stopped.into()),
            Some(redirect) = redirects.recv() => Ok(redirect),
            () = tokio::time::sleep(LOGIN_TIMEOUT) => Err(AuthError::LoginTimedOut.into()),
            Err(error) = &mut served => Err(no_port(error).into()),
        };
        done.cancel();
        // Lets the browser show the last page; a failure does not matter.
        let _shown = tokio::time::timeout(LAST_PAGE_TIMEOUT, served).await;
        redirect
    }
}

fn no_port(error: io::Error) -> AuthError {
    AuthError::NoLoopbackPort(Arc::new(error))
}

async fn receive(
    State(expected): State<Expected>,
    method: Method,
    RawQuery(query): RawQuery,
) -> impl IntoResponse {
    let query = query.unwrap_or_default();
    let field = |name: &str| {
        form_urlencoded::parse(query.as_bytes())
            .find(|(key, value)| key == name && !value.is_empty())
            .map(|(_, value)| value.into_owned())
    };
    let redirect = match (field("code"), field("error")) {
        (_, Some(error)) => Redirect::Refused(error, field("error_description")),
        (Some(code), None) => Redirect::Code(SecretString::from(code)),
        // Such as a browser's request for an icon.
        (None, None) => return page(StatusCode::NOT_FOUND, "There is no page here."),
    };
    if field("state").as_deref() != Some(&*expected.state) {
        return page(
            StatusCode::BAD_REQUEST,
            "This redirect does not belong to the sign-in that Seatledger has begun. Nothing was \
             stored, and Seatledger is still waiting. Use the latest page that it has shown.",
        );
    }
    let text = match redirect {
        Redirect::Code(_) => "Seatledger continues in the terminal. You may close this page.",
        Redirect::Refused(..) => {
            "The sign-in was refused. The terminal says why. You may close this page."
        }
    };
    // Virus scanners and link previews send HEAD; the browser itself sends GET.
    if method != Method::HEAD {
        // The channel is full if a redirect was received before this one.
        let _received_before = expected.redirects.try_send(redirect);
    }
    page(StatusCode::OK, text)
}

fn page(status: StatusCode, text: &'static str) -> impl IntoResponse + use<> {
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (status, headers, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_wait_for_the_redirect_is_bounded() {
        let loopback = Loopback::bind().await.unwrap();
        let port = loopback
            .redirect_uri()
            .strip_prefix("http://localhost:")
            .map(str::parse::<u16>);
        assert!(matches!(port, Some(Ok(port)) if port > 0));
        let redirect = loopback.redirect("state", &Shutdown::default()).await;
        assert!(matches!(
            redirect,
            Err(RetryError::Fatal(AuthError::LoginTimedOut))
        ));
    }
}
