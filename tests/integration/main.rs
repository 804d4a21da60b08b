//! Everything that needs more than one room: the real binary, a real Postgres, real HTTP over loopback.

#[cfg(test)]
mod config;
#[cfg(test)]
mod run;
#[cfg(test)]
mod support;
