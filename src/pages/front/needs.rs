//! What needs a person, and what to do.

use crate::pages::format;
use crate::schedule::Timeliness;
use crate::standing::{ShownConsent, Standing, trouble};
use crate::store::{Figures, NeedyCustomer, RenameSuspect};

/// Customers that are shown, at most. The page of customers has all.
const SHOWN_CUSTOMERS: usize = 8;

/// Suspected renamings that are shown, at most. The file of them has all.
const SHOWN_SUSPECTS: usize = 10;

/// From which part of the holders on a product is taken for a renamed one. Where fewer changed,
/// they bought another product, and nothing is to be confirmed.
const LIKELY_SHARE: f64 = 0.5;

/// What needs a person.
pub(super) struct Needs {
    /// Whether it is known which customers and products do.
    pub(super) is_known: bool,
    /// What keeps figures of all customers away. Shown first, because customers fail of it.
    pub(super) fault: Option<Note>,
    pub(super) customers: Vec<NeedyView>,
    /// Customers that are not shown.
    pub(super) more: u64,
    pub(super) suspects: Vec<SuspectView>,
    /// Suspected renamings that are not shown.
    pub(super) more_suspects: usize,
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
    /// Since when, for how many customers, and which part of the holders they are.
    pub(super) extent: String,
    /// The statement that makes them one.
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
    /// `figures` is none until they are computed.
    pub(super) fn new(standing: &Standing, is_away: bool, figures: Option<&Figures>) -> Self {
        let shown = standing.attention.shown.iter().take(SHOWN_CUSTOMERS);
        let customers: Vec<_> = shown.map(|customer| needy(standing, customer)).collect();
        let suspects = figures.map_or(&[][..], |figures| &figures.rename_suspects);
        let mut suspects: Vec<_> = suspects.iter().filter_map(suspect).collect();
        let more_suspects = suspects.len().saturating_sub(SHOWN_SUSPECTS);
        suspects.truncate(SHOWN_SUSPECTS);
        let consents = standing.consents.iter().flatten();
        let consents = consents.filter_map(|consent| consent_note(standing, consent));
        let upgrade = standing.upgrade.iter().map(|upgrade| Note {
            words: format!("Migrations wait: {upgrade}."),
            action: "End what uses the ledger's tables, or wait.",
            command: String::new(),
        });
        Self {
            is_known: figures.is_some(),
            fault: if is_away {
                Some(database_note())
            } else {
                runs_note(standing)
            },
            more: standing
                .attention
                .total
                .saturating_sub(customers.len() as u64),
            customers,
            suspects,
            more_suspects,
            notes: consents.chain(upgrade).chain(rejected(standing)).collect(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.fault.is_none()
            && self.customers.is_empty()
            && self.suspects.is_empty()
            && self.notes.is_empty()
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

/// None if nothing can be confirmed: without a statement the old product has an id, whose name
/// follows it.
fn suspect(suspect: &RenameSuspect) -> Option<SuspectView> {
    let share = suspect.share_of_holders;
    let statement = suspect.alias_statement.clone()?;
    if share.is_some_and(|share| share < LIKELY_SHARE) {
        return None;
    }
    let customers = format::counted(suspect.customers, "customer");
    let since = suspect
        .since
        .map(|since| format!(" since {}", format::date(since)));
    // Some may have got it later than those who are counted.
    let share =
        share.map(|share| format!(", {:.0} % of those that had it", share.min(1.0) * 100.0));
    Some(SuspectView {
        old: suspect.old_product_name.clone(),
        new: suspect.new_product_name.clone(),
        extent: [Some(customers), since, share]
            .into_iter()
            .flatten()
            .collect(),
        statement,
    })
}

fn database_note() -> Note {
    Note {
        words: "The ledger's database does not answer.".to_owned(),
        action: "Runs wait for it. See what is wrong:",
        command: "seatledger check".to_owned(),
    }
}

fn runs_note(standing: &Standing) -> Option<Note> {
    let words = if standing.last_run_failed() {
        "The last run stored nothing."
    } else if standing.timeliness == Timeliness::Overdue {
        "No run has succeeded for too long."
    } else {
        return None;
    };
    Some(Note {
        words: words.to_owned(),
        action: "The next run tries again. See what is wrong:",
        command: "seatledger check".to_owned(),
    })
}

fn consent_note(standing: &Standing, consent: &ShownConsent) -> Option<Note> {
    let host = &consent.host;
    let words = match (&consent.refusal, consent.summary.days_left) {
        (Some(refusal), _) => format!("Signing in on {host} was refused: {refusal}."),
        (None, _) if !consent.summary.consent.expires_soon(standing.now) => return None,
        (None, ..0) => format!("The consent on {host} has expired."),
        (None, days) => format!(
            "The consent on {host} ends in {}.",
            format::counted(days, "day")
        ),
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
