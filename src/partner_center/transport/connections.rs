//! The connections to the API. A request that the server has not processed is asked again, since
//! that is no failure of the call: a stream refused or left behind by a server that closes its
//! HTTP/2 connection, and one that came over a connection to the wrong server (421).

use std::error::Error;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use reqwest::{Request, Response, StatusCode};
use tokio::time::Instant;
use tracing::debug;

use crate::partner_center::transport::http::SetUpError;

/// A request that is not processed is asked again so often, each time after twice the wait.
const MOST_UNPROCESSED: u32 = 5;
const FIRST_WAIT: Duration = Duration::from_millis(5);

/// A request that came to the wrong server is sent so often on connections of its own.
const MOST_MISDIRECTED: u32 = 2;

/// Makes a client that keeps its connections, or one that does not.
type Build = dyn Fn(Keep) -> Result<reqwest::Client, SetUpError> + Send + Sync;

/// What becomes of a connection after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::partner_center) enum Keep {
    Open,
    Closed,
}

/// Connections to one server.
pub(in crate::partner_center) struct Connections {
    build: Box<Build>,
    kept: Mutex<Kept>,
    /// For requests that need a connection of their own.
    single: OnceLock<reqwest::Client>,
    /// When a connection was last lost: whatever was sent before was lost with it.
    lost_at: Mutex<Option<Instant>>,
}

struct Kept {
    client: reqwest::Client,
    /// How often all connections were given up.
    generation: u32,
}

impl Connections {
    pub(in crate::partner_center) fn new(
        build: impl Fn(Keep) -> Result<reqwest::Client, SetUpError> + Send + Sync + 'static,
    ) -> Result<Self, SetUpError> {
        let client = build(Keep::Open)?;
        Ok(Self {
            build: Box::new(build),
            kept: Mutex::new(Kept {
                client,
                generation: 0,
            }),
            single: OnceLock::new(),
            lost_at: Mutex::default(),
        })
    }

    /// The client that is used for most requests.
    pub(in crate::partner_center) fn client(&self) -> reqwest::Client {
        self.kept().client.clone()
    }

    /// Sends a request without a body. `again` is told of each further one that the server has
    /// processed.
    pub(in crate::partner_center) async fn send(
        &self,
        request: Request,
        again: impl Fn(),
    ) -> Result<Response, reqwest::Error> {
        let (client, generation) = {
            let kept = self.kept();
            (kept.client.clone(), kept.generation)
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
                // Seldom, and not to make every call's future larger.
                Box::pin(self.send_again(&client, copy, error)).await
            }
            Ok(answer) if answer.status() == StatusCode::MISDIRECTED_REQUEST => {
                Box::pin(self.send_apart(copy, answer, generation, again)).await
            }
            answer => answer,
        }
    }

    /// Sends a request that was not processed.
    async fn send_again(
        &self,
        client: &reqwest::Client,
        request: Request,
        error: reqwest::Error,
    ) -> Result<Response, reqwest::Error> {
        let (mut last, mut wait) = (error, FIRST_WAIT);
        for _ in 0..MOST_UNPROCESSED {
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

    /// Sends a request that came to the wrong server on connections of its own.
    async fn send_apart(
        &self,
        request: Request,
        mut answer: Response,
        generation: u32,
        again: impl Fn(),
    ) -> Result<Response, reqwest::Error> {
        for _ in 0..MOST_MISDIRECTED {
            let (Some(single), Some(request)) = (self.single(), request.try_clone()) else {
                break;
            };
            debug!("The API's connection leads to the wrong server; asking again on another");
            again();
            answer = single.execute(request).await?;
            if answer.status() != StatusCode::MISDIRECTED_REQUEST {
                self.give_up(generation);
                break;
            }
        }
        Ok(answer)
    }

    /// Takes note of a lost connection, once for all requests that were lost with it.
    fn lose(&self, sent: Instant, error: &reqwest::Error) {
        let mut lost_at = self.lost_at.lock().unwrap_or_else(PoisonError::into_inner);
        if lost_at.is_none_or(|at| at < sent) {
            *lost_at = Some(Instant::now());
            let cause = h2_error(error).map(ToString::to_string);
            debug!(
                error = cause,
                "The API took no more requests on a connection; they are asked again on another"
            );
        }
    }

    /// The connections lead to the wrong server: none of them is used again.
    fn give_up(&self, generation: u32) {
        let mut kept = self.kept();
        if kept.generation == generation
            && let Ok(client) = (self.build)(Keep::Open)
        {
            kept.client = client;
            kept.generation += 1;
        }
    }

    fn single(&self) -> Option<reqwest::Client> {
        if let Some(client) = self.single.get() {
            return Some(client.clone());
        }
        let client = (self.build)(Keep::Closed).ok()?;
        Some(self.single.get_or_init(|| client).clone())
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a server of HTTP/2 says that there were too many requests.
pub(in crate::partner_center) fn is_enhance_your_calm(error: &reqwest::Error) -> bool {
    h2_error(error).is_some_and(|error| {
        error.is_remote() && error.reason() == Some(h2::Reason::ENHANCE_YOUR_CALM)
    })
}

/// Whether the server says that it has done nothing about a request. Streams that it still answers
/// do not fail by the end of their connection.
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
