//! The connections to the API. A request that the server has not processed is sent again at once,
//! because the call has not failed: an HTTP/2 stream that was refused or was still open when the
//! server closed the connection, or a request that reached the wrong server (status 421).

use std::error::Error;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use reqwest::{Request, Response, StatusCode};
use tokio::time::Instant;
use tracing::debug;

use crate::partner_center::transport::http::SetUpError;

/// How often a request that was not processed is sent again, each time after twice the wait. After
/// that the attempt has failed.
const MAX_UNPROCESSED: u32 = 5;
/// The wait before a request that was not processed is sent again for the first time.
const FIRST_WAIT: Duration = Duration::from_millis(5);

/// How often a request that reached the wrong server is sent on a connection of its own.
const MAX_MISDIRECTED: u32 = 2;

/// How often one request is sent at most. Each time has the time limit of a request.
pub(in crate::partner_center) const MOST_SENDS: u32 = 1 + MAX_UNPROCESSED + MAX_MISDIRECTED;

/// Builds an HTTP client.
type Build = dyn Fn(Keep) -> Result<reqwest::Client, SetUpError> + Send + Sync;

/// What happens to a connection after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::partner_center) enum Keep {
    Open,
    Closed,
}

/// Connections to one server.
pub(in crate::partner_center) struct Connections {
    build: Box<Build>,
    shared: Mutex<SharedClient>,
    /// For requests that need a connection of their own.
    single_use: OnceLock<reqwest::Client>,
    /// When a connection was last lost. Requests that were sent before were lost with it.
    lost_at: Mutex<Option<Instant>>,
}

struct SharedClient {
    client: reqwest::Client,
    /// How often all connections were discarded.
    generation: u32,
}

impl Connections {
    pub(in crate::partner_center) fn new(
        build: impl Fn(Keep) -> Result<reqwest::Client, SetUpError> + Send + Sync + 'static,
    ) -> Result<Self, SetUpError> {
        let client = build(Keep::Open)?;
        Ok(Self {
            build: Box::new(build),
            shared: Mutex::new(SharedClient {
                client,
                generation: 0,
            }),
            single_use: OnceLock::new(),
            lost_at: Mutex::default(),
        })
    }

    /// The client for most requests.
    pub(in crate::partner_center) fn client(&self) -> reqwest::Client {
        self.shared().client.clone()
    }

    /// Sends a request without a body. `on_resend` is called for each further request that counts
    /// for the server.
    pub(in crate::partner_center) async fn send(
        &self,
        request: Request,
        on_resend: impl Fn(),
    ) -> Result<Response, reqwest::Error> {
        let (client, generation) = {
            let shared = self.shared();
            (shared.client.clone(), shared.generation)
        };
        let copy = request.try_clone();
        let sent = Instant::now();
        let answer = client.execute(request).await;
        let Some(copy) = copy else {
            return answer;
        };
        match answer {
            Err(error) if is_unprocessed(&error) => {
                self.lose(sent, &error);
                // Boxed because it is rare and would make the future of every call larger.
                Box::pin(self.resend(&client, copy, error)).await
            }
            Ok(answer) if answer.status() == StatusCode::MISDIRECTED_REQUEST => {
                Box::pin(self.redirect_to_new(copy, answer, generation, on_resend)).await
            }
            answer => answer,
        }
    }

    /// Sends a request again that was not processed.
    async fn resend(
        &self,
        client: &reqwest::Client,
        request: Request,
        error: reqwest::Error,
    ) -> Result<Response, reqwest::Error> {
        let (mut last, mut wait) = (error, FIRST_WAIT);
        for _ in 0..MAX_UNPROCESSED {
            tokio::time::sleep(wait).await;
            wait *= 2;
            let Some(copy) = request.try_clone() else {
                break;
            };
            let sent = Instant::now();
            match client.execute(copy).await {
                Err(error) if is_unprocessed(&error) => {
                    self.lose(sent, &error);
                    last = error;
                }
                answer => return answer,
            }
        }
        Err(last)
    }

    /// Sends a request that reached the wrong server on a connection of its own. If that helps, the
    /// shared connections are replaced.
    async fn redirect_to_new(
        &self,
        request: Request,
        mut answer: Response,
        generation: u32,
        on_resend: impl Fn(),
    ) -> Result<Response, reqwest::Error> {
        for _ in 0..MAX_MISDIRECTED {
            let (Some(client), Some(request)) = (self.single_use(), request.try_clone()) else {
                break;
            };
            debug!("The request reached the wrong server (421) and is sent on another connection");
            on_resend();
            answer = client.execute(request).await?;
            if answer.status() != StatusCode::MISDIRECTED_REQUEST {
                self.discard(generation);
                break;
            }
        }
        Ok(answer)
    }

    /// Records a lost connection, once for all requests that were lost with it.
    fn lose(&self, sent: Instant, error: &reqwest::Error) {
        let mut lost_at = self.lost_at.lock().unwrap_or_else(PoisonError::into_inner);
        if lost_at.is_none_or(|at| at < sent) {
            *lost_at = Some(Instant::now());
            let cause = h2_error(error).map(ToString::to_string);
            debug!(
                error = cause,
                "The API took no more requests on a connection; they are sent again on another"
            );
        }
    }

    /// Replaces the shared connections, unless another request has already done so.
    fn discard(&self, generation: u32) {
        let mut shared = self.shared();
        if shared.generation == generation
            && let Ok(client) = (self.build)(Keep::Open)
        {
            shared.client = client;
            shared.generation += 1;
        }
    }

    fn single_use(&self) -> Option<reqwest::Client> {
        if let Some(client) = self.single_use.get() {
            return Some(client.clone());
        }
        let client = (self.build)(Keep::Closed).ok()?;
        Some(self.single_use.get_or_init(|| client).clone())
    }

    fn shared(&self) -> MutexGuard<'_, SharedClient> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether an HTTP/2 server refuses the connection because of too many requests.
pub(in crate::partner_center) fn is_enhance_your_calm(error: &reqwest::Error) -> bool {
    h2_error(error).is_some_and(|error| {
        error.is_remote() && error.reason() == Some(h2::Reason::ENHANCE_YOUR_CALM)
    })
}

/// Whether the server says that it has not processed a request. A stream that it still answers does
/// not fail when the connection is closed.
fn is_unprocessed(error: &reqwest::Error) -> bool {
    h2_error(error).is_some_and(|error| {
        let reason = error.reason();
        let is_left_behind = error.is_go_away() && reason != Some(h2::Reason::ENHANCE_YOUR_CALM);
        let is_refused = error.is_reset() && reason == Some(h2::Reason::REFUSED_STREAM);
        error.is_remote() && (is_left_behind || is_refused)
    })
}

fn h2_error(error: &reqwest::Error) -> Option<&h2::Error> {
    std::iter::successors(error.source(), |&cause| cause.source())
        .find_map(|cause| cause.downcast_ref())
}
