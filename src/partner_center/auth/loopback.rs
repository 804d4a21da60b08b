//! Where the browser comes back to after a sign-in: a web server of one page on this machine's own
//! loopback address. It takes the first answer that carries the right `state`, and ends. Whatever
//! else comes, be it a browser that looks around, an answer to an earlier sign-in or a stranger's,
//! gets an answer of its own and changes nothing.

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

use super::error::AuthError;
use crate::shutdown::Shutdown;

/// How long a person may take.
const PATIENCE: Duration = Duration::from_mins(15);

/// How long the browser may take to fetch the page after its answer was heard.
const FAREWELL: Duration = Duration::from_secs(1);

/// What the browser brought.
pub(super) enum Redirect {
    Code(SecretString),
    /// The error's name and its description.
    Refused(String, Option<String>),
}

/// Listens, but does not answer yet.
pub(super) struct Loopback {
    listener: TcpListener,
    port: u16,
}

#[derive(Clone)]
struct Door {
    state: Arc<str>,
    heard: mpsc::Sender<Redirect>,
}

impl Loopback {
    pub(super) async fn bind() -> Result<Self, AuthError> {
        let bound = async {
            // The name localhost may mean ::1 too; every browser then tries this one next.
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            let port = listener.local_addr()?.port();
            io::Result::Ok(Self { listener, port })
        };
        bound.await.map_err(listening)
    }

    /// The registered `http://localhost` with a port, which is ignored in comparing the two. All else counts, so that
    /// there is no slash at the end.
    pub(super) fn redirect_uri(&self) -> String {
        format!("http://localhost:{}", self.port)
    }

    /// Waits for the browser to come back with `state`.
    pub(super) async fn redirect(
        self,
        state: &str,
        shutdown: &Shutdown,
    ) -> Result<Redirect, AuthError> {
        let (heard, mut answers) = mpsc::channel(1);
        let done = CancellationToken::new();
        let router = Router::new().route("/", get(come_back)).with_state(Door {
            state: state.into(),
            heard,
        });
        let served = axum::serve(self.listener, router)
            .with_graceful_shutdown(done.clone().cancelled_owned());
        let mut served = pin!(served.into_future());
        let redirect = tokio::select! {
            biased;
            () = shutdown.graceful.cancelled() => Err(AuthError::Stopped),
            heard = answers.recv() => heard.ok_or(AuthError::Stopped),
            () = tokio::time::sleep(PATIENCE) => Err(AuthError::NobodySignedIn),
            ended = &mut served => Err(ended.err().map_or(AuthError::Stopped, listening)),
        };
        done.cancel();
        // Only so that the browser shows its page.
        let _shown = tokio::time::timeout(FAREWELL, served).await;
        redirect
    }
}

fn listening(error: io::Error) -> AuthError {
    AuthError::Listening(Arc::new(error))
}

async fn come_back(
    State(door): State<Door>,
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
        // A browser that looks around.
        (None, None) => return page(StatusCode::NOT_FOUND, "There is nothing to see here."),
    };
    if field("state").as_deref() != Some(&*door.state) {
        return page(
            StatusCode::BAD_REQUEST,
            "This is not the answer to the sign-in that Seatledger began. Nothing was kept, and Seatledger goes on waiting. Use the newest page that it has shown.",
        );
    }
    let text = match redirect {
        Redirect::Code(_) => "Seatledger goes on in the terminal. You may close this page.",
        Redirect::Refused(..) => {
            "The sign-in was refused. The terminal says why. You may close this page."
        }
    };
    // What only asks for headers, as virus scanners and previews do, is no person who comes back.
    if method != Method::HEAD {
        // A full channel means that an answer was heard already.
        let _heard_already = door.heard.try_send(redirect);
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
    async fn a_person_who_never_comes_back_is_not_waited_for_for_ever() {
        let loopback = Loopback::bind().await.unwrap();
        let port = loopback
            .redirect_uri()
            .strip_prefix("http://localhost:")
            .map(str::parse::<u16>);
        assert!(matches!(port, Some(Ok(port)) if port > 0));
        let redirect = loopback.redirect("state", &Shutdown::default()).await;
        assert!(matches!(redirect, Err(AuthError::NobodySignedIn)));
    }
}
