use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};

use super::{form, monitor, screen};
use crate::cli::{Bounds, StatusBounds};
use crate::consent::Consent;
use crate::schedule::{Schedule, Timeliness};
use crate::standing::{RecordedLeader, Standing};
use crate::store::{
    Attention, CustomersByState, HostConsent, LedgerFigures, NeedyCustomer, Overview, RunRecord,
};

fn at(day_and_time: &str) -> DateTime<Utc> {
    format!("2026-11-{day_and_time}:00Z").parse().unwrap()
}

fn run(run_id: i64, outcome: &str, started_at: &str, finished_at: Option<&str>) -> RunRecord {
    RunRecord {
        run_id,
        kind: "schedule".to_owned(),
        outcome: outcome.to_owned(),
        started_at: at(started_at),
        finished_at: finished_at.map(at),
        detail: None,
        customers_total: 457,
        customers_succeeded: 455,
        customers_failed: 2,
        rows_received: 9_120,
        rows_inserted: 20,
        rows_updated: 1,
        rows_unchanged: 9_099,
        rows_rejected: 3,
    }
}

fn needy(name: Option<&str>, reason: &str, since: &str) -> NeedyCustomer {
    NeedyCustomer {
        customer_id: "0d3ba1b0-8b4f-4f9f-8d8e-2b0a3a8f1c11".parse().unwrap(),
        customer_name: name.map(str::to_owned),
        state: "failing".to_owned(),
        reason: Some(reason.to_owned()),
        detail: Some(format!("{reason}: status 403")),
        since: at(since),
        was_ever_fetched: true,
    }
}

/// All is well at 12:00 on 28 November; the run is at 06:00 each day.
fn well() -> Standing {
    let now = at("28T12:00");
    let schedule = Schedule::try_new("0 0 6 * * *", "UTC", now).unwrap();
    let consent = HostConsent {
        host: "web1".to_owned(),
        consent: Consent::given(at("01T12:00"), Duration::from_hours(90 * 24)),
        refusal: None,
    };
    let overview = Overview {
        as_of: now,
        schema_version: Some(20_261_129_050_000),
        ledger_since: Some(at("01T12:00")),
        last_finished: Some(run(12, "partial", "28T06:00", Some("28T06:02"))),
        last_success_at: Some(at("28T06:02")),
        consents: vec![consent],
        figures: Some(LedgerFigures {
            as_of: now,
            customers: CustomersByState {
                active: 455,
                ended: 12,
                ..CustomersByState::default()
            },
            newest_processed_date: NaiveDate::from_ymd_opt(2026, 11, 25),
            ledger_bytes: 1 << 30,
        }),
        ..Overview::default()
    };
    let standing = Standing::new(now, schedule, overview, Attention::default(), true);
    assert_eq!(standing.timeliness, Timeliness::OnTime);
    Standing {
        leader: Some(RecordedLeader {
            host: "web1".to_owned(),
            since: at("20T08:00"),
            renewed_at: now,
        }),
        ..standing
    }
}

/// Two customers fail.
fn needing() -> Standing {
    let mut standing = well();
    let figures = standing.overview.figures.as_mut().unwrap();
    figures.customers.active = 453;
    figures.customers.failing = 2;
    standing.attention = Attention {
        total: 12,
        shown: vec![
            needy(Some("Contoso GmbH"), "forbidden", "12T06:00"),
            needy(None, "timeout", "27T06:00"),
        ],
    };
    standing
}

/// The last success was on 12 November, and the last run failed.
fn overdue() -> Standing {
    let mut standing = well();
    standing.timeliness = Timeliness::Overdue;
    standing.past.last_success = Some(at("12T06:02"));
    standing.overview.last_success_at = Some(at("12T06:02"));
    let failed = standing.overview.last_finished.as_mut().unwrap();
    failed.outcome = "failed".to_owned();
    failed.detail = Some("the sign-in was refused | a|b".to_owned());
    standing
}

/// With lines that fit into this file.
fn folded(text: &str) -> String {
    let mut folded = String::new();
    for line in text.lines() {
        for (place, c) in line.chars().enumerate() {
            if place > 0 && place % 80 == 0 {
                folded.push_str("\n    ⏎");
            }
            folded.push(c);
        }
        folded.push('\n');
    }
    folded
}

#[test]
fn the_verdict_is_one_or_a_few_sentences() {
    let verdict = |standing: &Standing| standing.verdict();
    assert_eq!(
        verdict(&well()),
        "All 455 customers with products are up to date, figures of 25 November."
    );
    assert_eq!(
        verdict(&needing()),
        "453 of 455 customers with products are up to date, figures of 25 November. 12 need you."
    );
    assert_eq!(
        verdict(&overdue()),
        "No run has succeeded since 12 November: run 12 failed: the sign-in was refused | \
         a|b. The newest figures are of 25 November."
    );
    let mut standing = overdue();
    standing.timeliness = Timeliness::OnTime;
    assert!(verdict(&standing).starts_with("The last run, run 12 failed: the sign-in"));

    let mut late = well();
    late.timeliness = Timeliness::Late;
    late.past.last_end = Some(at("27T06:02"));
    late.leader = None;
    let said = "The run of 2026-11-28 06:00:00 UTC is late: no daemon runs. All 455";
    assert!(verdict(&late).starts_with(said), "{}", verdict(&late));
    late.overview.running = Some(run(13, "running", "28T06:00", None));
    let said = "is late. A run has been under way since 2026-11-28 06:00:00 UTC. All";
    assert!(verdict(&late).contains(said), "{}", verdict(&late));

    let mut new = well();
    new.overview = Overview::default();
    new.past.last_success = None;
    new.past.last_end = None;
    assert_eq!(verdict(&new), "No run has ended yet.");
    new.timeliness = Timeliness::Overdue;
    new.leader = None;
    assert_eq!(verdict(&new), "No run has succeeded yet: no daemon runs.");
}

#[test]
fn one_screen_says_what_a_person_asks() {
    insta::assert_snapshot!(folded(&screen::screen(&needing())), @r#"
    453 of 455 customers with products are up to date, figures of 25 November. 12 ne
        ⏎ed you.

    Next run: 2026-11-29 06:00:00 UTC, in 18 hours
    Last run: 12 (schedule), partial after 2 minutes, 2026-11-28 06:02:00 UTC, 5 hou
        ⏎rs ago
      455 of 457 customers; rows: 20 new, 1 changed, 9099 unchanged, 3 rejected
    Leader: web1 leads since 2026-11-20 08:00:00 UTC
    Customers: 453 active, 2 failing, 12 ended
    Rejected rows: 3; select * from rejected_row where run_id = 12
    Consent: signed in on 2026-11-01, 27 days ago. The refresh token is valid until 
        ⏎2027-01-30, 63 days, and is renewed at every use

    These need you, the longest first:
      Contoso GmbH                0d3ba1b0-8b4f-4f9f-8d8e-2b0a3a8f1c11  since 12 Nov
        ⏎ember, 16 days: access to it is refused
      (no name known)             0d3ba1b0-8b4f-4f9f-8d8e-2b0a3a8f1c11  since 27 Nov
        ⏎ember, 30 hours: Partner Center gave no answer in time
      and 10 more; up to 1000 are in: seatledger status --json

    What to do:
      access to it is refused: check its relationship with the partner and the role 
        ⏎of the user who signs in; if it has left, put it into customers.exclude
      Partner Center gave no answer in time: the next run asks for it first; if it s
        ⏎tays for days, give the ids of its failures to Microsoft's support: seatledger s
        ⏎upport
    "#);
}

#[test]
fn the_json_form_is_that_of_the_documentation() {
    let standing = needing();
    let form = serde_json::to_string_pretty(&form::form(&standing)).unwrap();
    let form = form.replace(&standing.verdict(), "…");
    insta::assert_snapshot!(form, @r#"
    {
      "version": 1,
      "as_of": "2026-11-28T12:00:00Z",
      "verdict": "…",
      "timeliness": "on_time",
      "next_run_at": "2026-11-29T06:00:00Z",
      "success_due_at": "2026-11-30T07:00:00Z",
      "last_success_at": "2026-11-28T06:02:00Z",
      "running": null,
      "last_run": {
        "run_id": 12,
        "kind": "schedule",
        "outcome": "partial",
        "started_at": "2026-11-28T06:00:00Z",
        "finished_at": "2026-11-28T06:02:00Z",
        "detail": null,
        "customers_total": 457,
        "customers_succeeded": 455,
        "customers_failed": 2,
        "rows_received": 9120,
        "rows_inserted": 20,
        "rows_updated": 1,
        "rows_unchanged": 9099,
        "rows_rejected": 3
      },
      "leader": {
        "host": "web1",
        "since": "2026-11-20T08:00:00Z",
        "renewed_at": "2026-11-28T12:00:00Z"
      },
      "customers": {
        "active": 453,
        "stale": 0,
        "failing": 2,
        "ended": 12,
        "never_had_usage": 0,
        "gone": 0
      },
      "newest_processed_date": "2026-11-25",
      "attention": {
        "total": 12,
        "shown": [
          {
            "customer_id": "0d3ba1b0-8b4f-4f9f-8d8e-2b0a3a8f1c11",
            "customer_name": "Contoso GmbH",
            "state": "failing",
            "reason": "forbidden",
            "detail": "forbidden: status 403",
            "since": "2026-11-12T06:00:00Z",
            "was_ever_fetched": true
          },
          {
            "customer_id": "0d3ba1b0-8b4f-4f9f-8d8e-2b0a3a8f1c11",
            "customer_name": null,
            "state": "failing",
            "reason": "timeout",
            "detail": "timeout: status 403",
            "since": "2026-11-27T06:00:00Z",
            "was_ever_fetched": true
          }
        ]
      },
      "consent": {
        "host": "web1",
        "signed_in_at": "2026-11-01T12:00:00Z",
        "first_used_at": "2026-11-01T12:00:00Z",
        "token_issued_at": "2026-11-01T12:00:00Z",
        "token_expires_at": "2027-01-30T12:00:00Z",
        "age_days": 27,
        "days_left": 63,
        "refused_at": null,
        "refusal": null
      },
      "consents": [
        {
          "host": "web1",
          "signed_in_at": "2026-11-01T12:00:00Z",
          "first_used_at": "2026-11-01T12:00:00Z",
          "token_issued_at": "2026-11-01T12:00:00Z",
          "token_expires_at": "2027-01-30T12:00:00Z",
          "age_days": 27,
          "days_left": 63,
          "refused_at": null,
          "refusal": null
        }
      ],
      "schema_version": 20261129050000,
      "migration": null,
      "ledger_bytes": 1073741824
    }
    "#);
}

#[test]
fn a_monitoring_system_gets_one_line_with_its_bounds() {
    let usual = StatusBounds {
        failing: Bounds {
            warning: 1,
            critical: 10,
        },
        consent_days: Bounds {
            warning: 14,
            critical: 3,
        },
    };
    let line = |standing: &Standing| {
        let line = monitor::line(standing, &usual);
        (line.state.code(), line.text)
    };
    let (code, text) = line(&well());
    assert_eq!(code, 0);
    insta::assert_snapshot!(folded(&text), @r#"
    SEATLEDGER OK - All 455 customers with products are up to date, figures of 25 No
        ⏎vember. | customers_failing=0;4;46;0;467 last_success_age=21480s;89880;176280;0 
        ⏎consent_days=63;14:;3: rejected_rows=3;;;0
    "#);
    let (code, text) = line(&overdue());
    assert_eq!(code, 2);
    assert_eq!(text.matches('|').count(), 1, "{text}");
    assert!(text.starts_with("SEATLEDGER CRITICAL - No run has succeeded since 12 November"));

    let mut standing = needing();
    let with_failing = |standing: &mut Standing, failing: u64| {
        let figures = standing.overview.figures.as_mut().unwrap();
        figures.customers.failing = failing;
        line(standing).0
    };
    for (failing, code) in [(2, 0), (4, 0), (5, 1), (46, 1), (70, 2)] {
        assert_eq!(with_failing(&mut standing, failing), code, "{failing}");
    }
    for (days, code, words) in [
        (14, 0, "November. |"),
        (13, 1, "The consent on web1 ends in 13 days. |"),
        (3, 1, "ends in 3 days. |"),
        (1, 2, "ends in 1 day. |"),
        (-1, 2, "The consent on web1 has expired. |"),
    ] {
        let mut standing = well();
        standing.consents.as_mut().unwrap()[0].summary.days_left = days;
        let (found, text) = line(&standing);
        assert_eq!(found, code, "{days}");
        assert!(text.contains(words), "{text}");
    }
    // However long the reason of a failed run is.
    let mut standing = overdue();
    standing.overview.last_finished.as_mut().unwrap().detail = Some("long ".repeat(100));
    standing.consents.as_mut().unwrap()[0].summary.days_left = 1;
    let (_, text) = line(&standing);
    assert!(
        text.contains("The consent on web1 ends in 1 day."),
        "{text}"
    );

    let lenient = StatusBounds {
        failing: "20,50".parse().unwrap(),
        consent_days: "70,7".parse().unwrap(),
    };
    let line_of = |standing: &Standing| monitor::line(standing, &lenient);
    let mut standing = needing();
    standing
        .overview
        .figures
        .as_mut()
        .unwrap()
        .customers
        .failing = 70;
    let found = line_of(&standing);
    assert_eq!(found.state.code(), 1, "63 days are left: {}", found.text);
    assert!(found.text.contains("customers_failing=70;107;267;0;535 "));
    assert!(found.text.contains("consent_days=63;70:;7:"));
    let mut standing = well();
    standing.consents.as_mut().unwrap()[0].refusal = Some("refused".to_owned());
    assert_eq!(line(&standing).0, 2);

    let unknown = monitor::unknown("the database\nis | away");
    assert_eq!(unknown.state.code(), 3);
    assert_eq!(unknown.text, "SEATLEDGER UNKNOWN - the database is / away");
}
