//! Everything that needs more than one room: the real binary, a real Postgres, real HTTP over loopback.

#![cfg(test)]

mod answers;
mod certificate;
mod checking;
mod commercial;
mod commercial_faults;
mod config;
mod consent;
mod coverage;
mod crash;
mod daemon;
mod database_away;
mod dated;
mod deployment;
mod discovery;
mod echoes;
mod error_texts;
mod items;
mod large_answers;
mod listing;
mod login;
mod login_browser;
mod metrics;
mod months;
mod naming;
mod one_shot;
mod outage;
mod pages;
mod partner_center_simulator;
mod refused_rows;
mod restatements;
mod resuming;
mod run;
mod secrets;
mod series;
mod sign_in;
mod sign_in_faults;
mod simulated_provider;
mod stopping;
mod storing;
mod support;
mod throttling;
mod token_file;
mod verdicts;
mod wire;
