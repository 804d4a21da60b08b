//! Tests of the whole program: the real binary, a real Postgres, real HTTP over loopback.
//! `cargo test --test integration -- throttling` runs one of these modules.

#![cfg(test)]

/// The fixture: a database, a simulated Partner Center and the real binary for each test.
mod support;

/// The configuration: its sources, what is refused, and the wording of the report.
mod config;

/// A run, from its list of customers to its summary and exit code.
mod run {
    /// Every customer's rows are stored, a second run changes nothing, corrections overwrite.
    mod basics;
    /// `kill -9` at any moment leaves no customer half stored, and the next run stores the rest.
    mod crash;
    /// The customers of a run: ids, file, discovery, exclusions, the command line.
    mod customer_list;
    /// Backfills of past dates: newest first, complete dates left out.
    mod dated;
    /// Customers that leave the partner's list and return, and lists that are too short to be
    /// trusted.
    mod discovery;
    /// A second run takes over from one that is gone, frozen or cut off.
    mod lease;
    /// The command line: one run at a time, what is printed, exit codes.
    mod one_shot;
    /// An API that is down ends the run early, with one reason.
    mod outage;
    /// After an interrupted run the next one begins with the missing customers; `--resume` fetches
    /// only those.
    mod resuming;
    /// Signals: what is finished, what is dropped, how long that takes.
    mod stopping;
    /// Two hosts with one ledger: one dies, freezes or is cut off, and the other goes on.
    mod two_hosts {
        /// Commits whose answers are lost.
        mod commits;
        /// A database server that dies, and another that takes its place.
        mod failover;
        /// A link to the database that loses packets.
        mod links;
        /// A host that is killed or stands still at a seeded moment.
        mod moments;
        /// Two backfills of one ledger.
        mod pair;
    }
    /// A refusal of nearly all customers is reported once, by the run.
    mod verdicts;
}

/// The answers of Partner Center, and the proxies and gateways on the way to it.
mod api {
    /// Each kind of answer has its outcome, and affects no other customer.
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
    /// A partner-wide collection that fails is stored for no customer, and its reason is logged
    /// once.
    mod partner_wide_faults;
    /// Gateways that throttle by 503, close HTTP/2 connections and misdirect requests.
    mod proxies;
    /// The requests as Partner Center sees them: headers, connections, rate.
    mod requests;
    /// Limits: the partner's or one customer's, how they are learned, how little is retried.
    mod throttling;
    /// Certificates, TLS, proxies, host names: what ends the program and what is retried.
    mod transport;
}

/// Tokens: how they are obtained, renewed and stored, and the messages when that fails.
mod sign_in {
    /// A certificate in place of the client secret.
    mod certificate;
    /// The age of the consent, how long it lasts, and the warnings before it ends.
    mod consent;
    /// A sign-in service that misbehaves: what is retried, and for how long.
    mod faults;
    /// `login` by device code.
    mod login;
    /// `login` in a browser, and the checks of the token.
    mod login_browser;
    /// A failed sign-in names what was refused and where to replace it.
    mod messages;
    /// The refresh token's file behind links and mounts, on full and on read-only file systems.
    mod token_file;
    /// A token is stored before it is used, and one renewal serves all calls that wait for it.
    mod tokens;
}

/// What the tables and views hold after runs.
mod ledger {
    /// Which customers have figures of which date, and why others have none.
    mod coverage;
    /// What is kept beside the ledger agrees with it.
    mod kept;
    /// After each step of a random history every view equals its definition in naive SQL.
    mod model;
    /// A name has one spelling and one language.
    mod naming;
    /// The views of newest rows agree with the ledger after every kind of change.
    mod newest;
    /// Partitions that an operator merged, moved or detached for a while.
    mod partitions;
    /// Rows that Postgres refuses take no other customer with them.
    mod refused_rows;
    /// What a process remembers of the ledger does not outlive its truth.
    mod remembered;
    /// A corrected figure is recorded with its old and its new value.
    mod restatements;
    /// A series stays one series over sources, product names, languages and letter cases.
    mod series;
    /// Products that have one name lose no seats to each other.
    mod shared_names;
    /// Types and comments, rejections, views over days and months, two schemas.
    mod storing;
    /// The views for BI tools equal their definitions.
    mod views {
        /// The views of customers, days, adoption and renamings.
        mod customers;
        /// The views by day: what is in force, totals of days, growth.
        mod days;
        /// The views of products: one name, one count of seats, what a customer has today.
        mod products;
        /// The questions of the demo can be asked as they stand, and are answered right.
        mod questions;
    }
}

/// Connecting to Postgres, losing it, and waiting for it.
mod database {
    /// The address: checked before connecting, several hosts, TLS, no password shown.
    mod address;
    /// A database that starts late, crashes, refuses the role, or stops answering.
    mod away;
    /// A connection that goes dead without a sign is noticed within 20 s.
    mod cuts;
    /// A role for BI tools reads the views and nothing else.
    mod grants;
    /// Migrations while others read.
    mod migrations;
    /// The operating page has every reason and exit code; a restored dump goes on.
    mod operations;
    /// Poolers that share sessions are refused, those that assign them work.
    mod poolers;
    /// Ledgers that released versions wrote are upgraded, and go on.
    mod releases;
    /// `check` finds every right that a run lacks.
    mod rights;
    /// The log names once what the program waits for: the database, a lock, another run.
    mod waiting;
}

/// The commands for operators.
mod commands {
    /// `check` tries each part and estimates a full run.
    mod check;
    /// A view as a file, whole or not at all.
    mod export;
    /// Files in the encodings and formats that editors and spreadsheets save.
    mod saved_files;
    /// `status` says what a person needs to know, in its three forms.
    mod status;
    /// The support bundle helps, and has neither secrets nor names.
    mod support_bundle;
    /// Output to a terminal, a closed pipe and a full disk; signals.
    mod terminal;
    /// The ledger is compared with what the API gives.
    mod verify;
}

/// The program as a service.
mod service {
    /// The daemon keeps its schedule and catches up on a missed run.
    mod daemon;
    /// Daemons on several hosts: one leads, the others stand by and take over.
    mod hosts;
    /// What the service manager is told, and reloads.
    mod manager;
    /// The metrics for Prometheus.
    mod metrics;
    /// Alerts and dashboards ask for what exists.
    mod monitoring;
    /// What a dead man's switch and a webhook are told.
    mod notify;
    /// The status address withstands hostile clients.
    mod status_address;
}

/// The pages of the status address.
mod pages {
    /// A customer: its figures, its days, and its tables as files.
    mod customer;
    /// The files beside the tables hold what the SQL beside them gives.
    mod data;
    /// The figures of the front page equal plain SQL.
    mod figures;
    /// The front page: what it says, to whom, and under which headers.
    mod front;
    /// The pages of customers and products.
    mod lists;
    /// Reports as files: their figures, their names, whole or not at all.
    mod report;
    /// Runs: newest first, with their failures and rejected items.
    mod runs;
    /// Who is shown names of customers, and what a browser is told about each answer.
    mod safety;
}

/// The traces of runs, as a collector of OpenTelemetry gets them.
#[cfg(feature = "otel")]
mod traces {
    /// A collector over loopback.
    mod collector;
    /// Collectors that are away, hang or refuse.
    mod faults;
    /// What a trace shows.
    mod spans;
}

/// What appears in no output.
mod secrecy {
    /// Nothing is sent to anybody but those whom the configuration names.
    mod connections;
    /// A token that the API echoes reaches neither tables nor logs.
    mod echoes;
    /// Text from outside cannot forge log lines or deface a terminal.
    mod error_texts;
    /// No secret is in the output, in the tables or on a command line.
    mod secrets;
}

/// The simulator itself, apart from the program.
mod simulator {
    /// Its limits, its partner-wide collections, and its simulated days.
    mod partner_center;
    /// Its sign-in service, and its HTTP.
    mod provider;
}
