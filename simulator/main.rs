//! `seatledger-simulator`: a stand-in for Microsoft Partner Center and its sign-in, on loopback. It
//! serves an invented partner's customers with believable figures, and answers as slowly, rarely or
//! wrongly as a test or a demo asks it to. `simulator/README.md` says how to start and steer it.
//!
//! The rooms. Each uses rooms below it, and none above:
//!
//! ```text
//!  main ─────────▶ arguments    the command line
//!    ▼
//!  server         accepts connections, reads requests, sends ordinary and scripted answers
//!    ▼
//!  control        the calls under /_sim/, by which tests and demos steer everything below
//!    ▼
//!  simulator      the state of all rooms in one value, with the settings and the simulated day
//!    ▼
//!  api            Partner Center: access check, rate limits, customer list, usage and deployment
//!    ▼
//!  sign_in        Microsoft Entra: token, device code and authorization endpoints, OpenID provider
//!    ▼
//!  traffic        what concerns every request: endpoints, log, counts, scripts
//!    ▼
//!  world          the customers and their figures: pure functions of seed, customer and date
//!    ▼
//!  settings       what can be changed while the simulator runs
//!  wire           HTTP requests and responses as bytes
//!  lock, clock    how shared state is locked; the wall clock
//! ```

mod api;
mod arguments;
mod clock;
mod control;
mod lock;
mod server;
mod settings;
mod sign_in;
mod simulator;
mod traffic;
mod wire;
mod world;

use std::{
    io::{self, Write as _},
    process::ExitCode,
    sync::Arc,
};

use clap::Parser as _;

use crate::{arguments::Arguments, simulator::Simulator, world::World};

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let world = World::new(arguments.seed, arguments.customers);
    let settings = arguments.settings();
    let simulator = Simulator::new(world, settings, arguments.today, arguments.record);
    let simulator = Arc::new(simulator);
    if arguments.exit_with_parent {
        server::stop_with_parent(simulator.stop.clone());
    }
    match server::run(simulator, arguments.listen).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // If standard error is closed, only the exit code tells.
            let _ = writeln!(io::stderr(), "seatledger-simulator: {error}");
            ExitCode::FAILURE
        }
    }
}
