//! Everything that needs more than one room: the real binary, a real Postgres, real HTTP over
//! loopback. `cargo test --test integration -- throttling` runs one of these modules.

#![cfg(test)]

/// One database, one simulated Partner Center and one real binary for each test.
mod support;

/// The configuration: what is read from where, what is refused, and in which words.
mod config;

/// A run, from its list of customers to its summary and exit code.
mod run {
    /// Every customer's rows are stored, a second run changes nothing, corrections overwrite.
    mod basics;
    /// `kill -9` at any moment leaves every customer whole, and the next run mends the rest.
    mod crash;
    /// Which customers a run is over: ids, file, discovery, exclusions, the command line.
    mod customer_list;
    /// Backfills of past dates: newest first, complete dates left out.
    mod dated;
    /// Customers that leave the partner's list and return, and lists that are not believed.
    mod discovery;
    /// The command line: one run at a time, what is printed, exit codes.
    mod one_shot;
    /// An API that is down ends the run early, with one reason.
    mod outage;
    /// After a run was cut off the next begins with what is missing; `--resume` does only that.
    mod resuming;
    /// A signal: what is finished, what is dropped, how long that takes.
    mod stopping;
    /// A refusal of nearly all customers is one message of the run.
    mod verdicts;
}

/// Partner Center as it answers, and what stands between it and us.
mod api {
    /// Each answer has its outcome, and touches no other customer.
    mod answers;
    /// Sold and assigned seats beside the active ones.
    mod deployment;
    /// Each item becomes a row, or a rejection with its reason.
    mod items;
    /// Answers that are huge or hostile cost a bounded amount of memory and time.
    mod large_answers;
    /// A collection of several pages is fetched to its end, or its customer fails.
    mod pages;
    /// The partner-wide collections are stored customer by customer.
    mod partner_wide;
    /// A fault of a partner-wide collection stores nothing in part and is told once.
    mod partner_wide_faults;
    /// Gateways that throttle by 503, close HTTP/2 connections and misdirect requests.
    mod proxies;
    /// The requests as Partner Center sees them: headers, connections, rate.
    mod requests;
    /// Limits: whose they are, how they are learned, how little is retried.
    mod throttling;
    /// Certificates, TLS, proxies, host names: what ends the program and what is tried again.
    mod transport;
}

/// Tokens: how they are had, renewed, kept, and what is said when that fails.
mod sign_in {
    /// A certificate in place of the client secret.
    mod certificate;
    /// How old the consent is, how long it lasts, and the warnings before its end.
    mod consent;
    /// A sign-in service that misbehaves: what is repeated and when it is given up.
    mod faults;
    /// `login` by device code.
    mod login;
    /// `login` in a browser, and what is checked in the token it gives.
    mod login_browser;
    /// A failed sign-in names what was refused and where to mend it.
    mod messages;
    /// The refresh token's file behind links and mounts, on full and read-only file systems.
    mod token_file;
    /// Tokens are kept before they are used, and renewed once for all that wait.
    mod tokens;
}

/// What the tables and views hold after runs.
mod ledger {
    /// Which customer has figures of which date, and why not.
    mod coverage;
    /// A name has one spelling and one language.
    mod naming;
    /// The views of newest rows agree with the ledger after every kind of change.
    mod newest;
    /// Rows that Postgres refuses take no other customer with them.
    mod refused_rows;
    /// A corrected figure is kept as old and new.
    mod restatements;
    /// A series stays one over sources, product names, languages and letter cases.
    mod series;
    /// Types and comments, rejections, views over days and months, two schemas.
    mod storing;
}

/// Postgres as it is reached, lost and found again.
mod database {
    /// The address: judged before connecting, several hosts, TLS, no password shown.
    mod address;
    /// A database that is late, crashes, refuses the role, or says nothing.
    mod away;
    /// `check` finds every right that a run lacks.
    mod rights;
    /// What is waited for is named once: an outage, a lock, another run.
    mod waiting;
}

/// The program as a service, and the commands for the people in charge of it.
mod service {
    /// `check` tries each part and estimates a full run.
    mod check;
    /// The daemon keeps its schedule and catches up what it missed.
    mod daemon;
    /// The numbers for Prometheus.
    mod metrics;
    /// Files as people and their tools save them.
    mod saved_files;
    /// The status address defends itself against any client.
    mod status_address;
    /// Terminals, closed pipes and full disks under the output.
    mod terminal;
}

/// What is shown nowhere.
mod secrecy {
    /// A token that the API sends back reaches neither tables nor logs.
    mod echoes;
    /// Text from outside cannot forge log lines or deface a terminal.
    mod error_texts;
    /// No secret is in output, tables or a command line.
    mod secrets;
}

/// The simulator itself, apart from the program.
mod simulator {
    /// Its limits, its partner-wide collections, and its days.
    mod partner_center;
    /// Its sign-in service, and its HTTP.
    mod provider;
}
