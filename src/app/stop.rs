//! Commands that a signal stops before their end.

use super::status;
use crate::cli::Command;
use crate::lifecycle::{Exit, Lifecycle, notify_ended};
use crate::partner_center::AuthError;
use crate::retry::RetryError;
use crate::shutdown::Stopped;
use crate::sync::RunError;

/// Does the work of a command until a signal stops it. It is dropped then, since it may wait for
/// something that does not hear of the stop, such as a lock in the database.
pub(super) async fn unless_stopped(
    command: &Command,
    lifecycle: &Lifecycle,
    work: impl Future<Output = anyhow::Result<Exit>>,
) -> anyhow::Result<Exit> {
    let shutdown = &lifecycle.shutdown;
    let done = match command {
        // What these write may come to its end.
        Command::Login { .. } | Command::Migrate | Command::Grants { .. } => {
            shutdown.unless_forced(work).await
        }
        Command::Check { .. }
        | Command::Status { .. }
        | Command::Verify(_)
        | Command::Export(_)
        | Command::Report(_)
        | Command::Support { .. }
        | Command::Generate { .. } => shutdown.unless_graceful(work).await,
    };
    match (done, command) {
        (Ok(done), _) => done,
        // A monitoring system knows no other codes.
        (Err(Stopped), Command::Status { check: true, .. }) => {
            status::check_impossible("stopped by a signal")
        }
        (Err(Stopped), _) => Err(Stopped.into()),
    }
}

/// A command that was stopped before its end ends with the exit code of the signal.
pub(super) fn exit_of(
    ended: anyhow::Result<Exit>,
    stopped_by: Option<Exit>,
) -> anyhow::Result<Exit> {
    match (ended, stopped_by) {
        (Err(error), Some(signal)) if is_stop(&error) => {
            notify_ended("Stopped");
            Ok(signal)
        }
        (ended, _) => ended,
    }
}

fn is_stop(error: &anyhow::Error) -> bool {
    let signed_in = error.downcast_ref::<RetryError<AuthError>>();
    error.is::<Stopped>()
        || matches!(error.downcast_ref(), Some(RunError::Stopped))
        || matches!(signed_in, Some(RetryError::Stopped { .. }))
}
