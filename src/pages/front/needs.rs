//! What needs a person, and what to do.

use crate::pages::format;
use crate::standing::{ShownConsent, Standing, trouble};
use crate::store::{NeedyCustomer, RenameSuspect};

/// Customers that are shown, at most. The page of customers has all.
const SHOWN_CUSTOMERS: usize = 8;

/// What needs a person.
pub(super) struct Needs {
    pub(super) customers: Vec<NeedyView>,
    /// Customers that are not shown.
    pub(super) more: u64,
    pub(super) suspects: Vec<SuspectView>,
    pub(super) notes: Vec<Note>,
}

/// A customer that needs a person.
pub(super) struct NeedyView {
    pub(super) name: Option<String>,
    pub(super) id: String,
    pub(super) since: String,
    /// What is wrong.
    pub(super) words: &'static str,
    /// What to do.
    pub(super) action: &'static str,
}

/// Two names that may stand for one product.
pub(super) struct SuspectView {
    pub(super) old: String,
    pub(super) new: String,
    /// Since when, and for how many customers.
    pub(super) extent: String,
    /// What makes them one.
    pub(super) statement: String,
}

/// Anything else.
pub(super) struct Note {
    /// What is the matter.
    pub(super) words: String,
    /// What to do.
    pub(super) action: &'static str,
    /// The line to run.
    pub(super) command: String,
}

impl Needs {
    pub(super) fn new(standing: &Standing, suspects: &[RenameSuspect]) -> Self {
        let shown = standing.attention.shown.iter().take(SHOWN_CUSTOMERS);
        let customers: Vec<_> = shown.map(|customer| needy(standing, customer)).collect();
        let consents = standing.consents.iter().flatten();
        let consents = consents.filter_map(|consent| consent_note(standing, consent));
        let upgrade = standing.upgrade.iter().map(|upgrade| Note {
            words: format!("Migrations wait: {upgrade}."),
            action: "End what uses the ledger's tables, or wait.",
            command: String::new(),
        });
        Self {
            more: standing
                .attention
                .total
                .saturating_sub(customers.len() as u64),
            customers,
            suspects: suspects.iter().map(suspect).collect(),
            notes: consents.chain(upgrade).chain(rejected(standing)).collect(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.customers.is_empty() && self.suspects.is_empty() && self.notes.is_empty()
    }
}

fn needy(standing: &Standing, customer: &NeedyCustomer) -> NeedyView {
    let trouble = trouble(&customer.state, customer.reason.as_deref());
    NeedyView {
        name: customer.customer_name.clone(),
        id: customer.customer_id.to_string(),
        since: standing.since(customer),
        words: trouble.words,
        action: trouble.action,
    }
}

fn suspect(suspect: &RenameSuspect) -> SuspectView {
    let customers = format::counted(suspect.customers, "customer");
    let since = suspect
        .since
        .map(|since| format!(" since {}", format::date(since)));
    SuspectView {
        old: suspect.old_product_name.clone(),
        new: suspect.new_product_name.clone(),
        extent: format!("{customers}{}", since.unwrap_or_default()),
        statement: "select alias_statement from product_rename_suspect".to_owned(),
    }
}

fn consent_note(standing: &Standing, consent: &ShownConsent) -> Option<Note> {
    let host = &consent.host;
    let words = match (&consent.refusal, consent.summary.days_left) {
        (Some(refusal), _) => format!("Signing in on {host} was refused: {refusal}."),
        (None, _) if !consent.summary.consent.expires_soon(standing.now) => return None,
        (None, ..0) => format!("The consent on {host} has expired."),
        (None, days) => format!("The consent on {host} ends in {days} days."),
    };
    Some(Note {
        words,
        action: "Sign in again there with multi-factor authentication.",
        command: "seatledger login".to_owned(),
    })
}

fn rejected(standing: &Standing) -> Option<Note> {
    let run = standing.overview.last_finished.as_ref()?;
    (run.rows_rejected > 0).then(|| Note {
        words: format!(
            "The last run rejected {}: the API's items could not become rows.",
            format::counted(run.rows_rejected, "row")
        ),
        action: "See why; each is kept as it came.",
        command: format!(
            "select reason, detail, payload from rejected_row where run_id = {}",
            run.run_id
        ),
    })
}
