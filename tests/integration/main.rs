//! Everything that needs more than one room: the real binary, a real Postgres, real HTTP over loopback.

#[cfg(test)]
mod answers;
#[cfg(test)]
mod config;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod daemon;
#[cfg(test)]
mod database_away;
#[cfg(test)]
mod error_texts;
#[cfg(test)]
mod items;
#[cfg(test)]
mod listing;
#[cfg(test)]
mod login;
#[cfg(test)]
mod one_shot;
#[cfg(test)]
mod partner_center_simulator;
#[cfg(test)]
mod run;
#[cfg(test)]
mod secrets;
#[cfg(test)]
mod sign_in;
#[cfg(test)]
mod sign_in_faults;
#[cfg(test)]
mod stopping;
#[cfg(test)]
mod storing;
#[cfg(test)]
mod support;
#[cfg(test)]
mod wire;
