//! `seatledger-simulator`: a stand-in for Microsoft Partner Center and its sign-in,
//! on loopback. It serves an invented partner's customers with believable figures,
//! and answers as slowly, grudgingly or wrongly as a test or a demo asks it to.
//! How to start and steer it is in `simulator/README.md`.

mod api;
mod arguments;
mod control;
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
            // Where standard error is closed there is nobody to tell.
            let _ = writeln!(io::stderr(), "seatledger-simulator: {error}");
            ExitCode::FAILURE
        }
    }
}
