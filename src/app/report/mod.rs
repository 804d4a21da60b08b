//! `seatledger report`: a customer's figures of some months as one HTML file, or those of all
//! customers as a folder of such files.

mod destination;
mod inputs;
mod workbook;

use chrono::{DateTime, Utc};
use futures_util::{StreamExt as _, stream};
use indicatif::{MultiProgress, ProgressBar, ProgressFinish, ProgressStyle};

use crate::causes::with_causes;
use crate::cli::{Month, Report};
use crate::config::Config;
use crate::ledger::CustomerId;
use crate::lifecycle::Exit;
use crate::pages::ReportFrame;
use crate::store::{DetailDays, LedgerDates, Store};
use destination::Destination;

use super::{complain, say};

/// How many customers are read at a time, each over a connection of its own. The pool of the
/// default setting has as many.
const AT_A_TIME: usize = 2;

pub(super) async fn run(
    arguments: &Report,
    config: &Config,
    now: DateTime<Utc>,
    bars: MultiProgress,
) -> anyhow::Result<Exit> {
    let (texts, partner) = match inputs::read(arguments) {
        Ok(read) => read,
        Err(error) => {
            complain(&with_causes(&*error));
            return Ok(Exit::Usage);
        }
    };
    let is_folder = is_folder(arguments);
    if let Err(wrong) = destination::refuse(&arguments.out, is_folder, arguments.xlsx) {
        complain(&wrong);
        return Ok(Exit::Usage);
    }
    let mut destination = Destination::new(&arguments.out, is_folder, arguments.xlsx)?;
    let store = Store::new(&config.database)?;
    let days = match load_days(&store, arguments).await? {
        Ok(days) => days,
        Err(exit) => return Ok(exit),
    };
    let frame = ReportFrame {
        texts,
        partner,
        days,
        made_on: now.date_naive(),
    };
    let failures = write_all(&store, &frame, arguments, &mut destination, &bars).await?;
    store.close().await;
    for (customer, reason) in &failures {
        complain(&format!("customer {customer}: {reason}"));
    }
    match destination.finish(&frame)? {
        0 => complain("there is no report to write"),
        1 => say(&format!("Wrote a report to {}", arguments.out.display()))?,
        number => say(&format!(
            "Wrote {number} reports to {}",
            arguments.out.display()
        ))?,
    }
    Ok(if failures.is_empty() {
        Exit::Success
    } else {
        Exit::SomeFailed
    })
}

/// The days that are asked for, or how the command ends because the ledger has none of them.
async fn load_days(store: &Store, arguments: &Report) -> anyhow::Result<Result<DetailDays, Exit>> {
    let Some(ledger) = store.load_ledger_dates().await? else {
        complain("the ledger has no usage yet; a backfill stores some");
        return Ok(Err(Exit::CouldNotRun));
    };
    let months = months(arguments, ledger);
    let days = DetailDays::of_months(ledger, months.0.first_day(), months.1.first_day());
    Ok(days.ok_or_else(|| {
        let LedgerDates { oldest, newest } = ledger;
        complain(&format!(
            "the ledger has figures from {oldest} to {newest}, and none of the months asked for"
        ));
        Exit::Usage
    }))
}

/// Whether reports go into a folder: those of all customers, and of several; that of one if `--out`
/// is a folder or ends with a slash.
fn is_folder(arguments: &Report) -> bool {
    let ends_with_slash = arguments.out.as_os_str().as_encoded_bytes().ends_with(b"/");
    unique(&arguments.customer).len() != 1 || ends_with_slash || arguments.out.is_dir()
}

/// The months asked for, else the last one that the ledger has to its end.
fn months(arguments: &Report, ledger: LedgerDates) -> (Month, Month) {
    arguments.from.zip(arguments.to).unwrap_or_else(|| {
        let month = Month::of(DetailDays::last_full_month(ledger));
        (month, month)
    })
}

/// Without those that are given twice.
fn unique(given: &[CustomerId]) -> Vec<CustomerId> {
    let mut customers: Vec<CustomerId> = Vec::new();
    for customer in given {
        if !customers.contains(customer) {
            customers.push(*customer);
        }
    }
    customers
}

/// Writes each customer's report. Gives those that have none, with the reason.
async fn write_all(
    store: &Store,
    frame: &ReportFrame,
    arguments: &Report,
    destination: &mut Destination,
    bars: &MultiProgress,
) -> anyhow::Result<Vec<(CustomerId, String)>> {
    let customers = match arguments.customer.as_slice() {
        [] => store.load_reported_customers().await?,
        given => unique(given),
    };
    let renamed = store.load_renamed().await?;
    let renamed = &renamed;
    // Cleared when it is dropped, also by a stop or a failure.
    let bar = ProgressBar::new(customers.len() as u64).with_finish(ProgressFinish::AndClear);
    let bar = bars.add(bar);
    let style = "{wide_bar} {pos}/{len} customers, {eta} left";
    bar.set_style(ProgressStyle::with_template(style).expect("the template names known parts"));
    let loaded = stream::iter(customers).map(|customer| async move {
        let detail = store.load_customer_detail(customer, &frame.days, renamed);
        (customer, detail.await)
    });
    // In order, so that the list is.
    let mut loaded = loaded.buffered(AT_A_TIME);
    let mut failures = Vec::new();
    while let Some((customer, detail)) = loaded.next().await {
        match detail {
            Ok(Some(detail)) => destination.write(&detail, frame)?,
            Ok(None) => failures.push((customer, "the ledger does not know it".to_owned())),
            Err(error) => {
                // Without a database no further report can be made.
                store.reach().await?;
                failures.push((customer, with_causes(&error)));
            }
        }
        bar.inc(1);
    }
    Ok(failures)
}
