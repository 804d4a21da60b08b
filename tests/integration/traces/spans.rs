//! What a trace of a run shows, and what it does not.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::collector::{Answer, Collector, Span};
use crate::support::{World, until};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

fn belong_to_caller(world: &mut World) {
    world.set_variable("TRACEPARENT", &format!("00-{TRACE}-{CALLER}-01"));
}

fn attribute<'a>(span: &'a Span, name: &str) -> &'a str {
    span.attributes.get(name).map_or("", String::as_str)
}

#[tokio::test]
async fn a_backfill_is_a_part_of_the_trace_that_the_environment_names() {
    let mut world = World::with_customers(3).await;
    let collector = Collector::start(Answer::Take).await;
    collector.configure(&mut world);
    belong_to_caller(&mut world);
    // A trace does not depend on what is logged.
    world.set("log.filter", "error");
    let bad = world.simulator.customers().await[1].clone();
    let forbidden = json!([{ "status": 403 }]);
    world.simulator.script_for_ever(&bad, forbidden).await;
    world.backfill().await.assert_code(3);

    let spans = collector.spans();
    assert!(spans.iter().all(|span| span.trace == TRACE), "{spans:#?}");
    let runs = collector.named("sync.run");
    let [run] = &runs[..] else {
        panic!("{runs:#?}")
    };
    assert_eq!(run.parent, CALLER);
    assert_eq!(run.resource["service.name"], "seatledger");
    assert_eq!(run.resource["service.version"], env!("CARGO_PKG_VERSION"));
    let id: i64 = world.value("select run_id from sync_run").await;
    assert_eq!(attribute(run, "run.id"), id.to_string());
    assert_eq!(attribute(run, "run.outcome"), "partial");
    assert_eq!(attribute(run, "customers.failed"), "1");

    for name in ["partner_center.sign_in", "sync.list", "store.batch"] {
        let of_run = collector.named(name);
        assert!(!of_run.is_empty(), "{name} is missing: {spans:#?}");
        assert!(of_run.iter().all(|span| span.parent == run.id), "{name}");
    }
    let customers = collector.named("sync.customer");
    assert_eq!(customers.len(), 3);
    let failed: Vec<_> = customers.iter().filter(|span| span.is_failed).collect();
    assert_eq!(failed.len(), 1);
    assert_eq!(attribute(failed[0], "error.type"), "forbidden");

    let requests = collector.named("partner_center.request");
    let parents: BTreeSet<_> = requests.iter().map(|span| &span.parent).collect();
    let ids: BTreeSet<_> = customers.iter().map(|span| &span.id).collect();
    assert_eq!(parents, ids);
    let refused = requests.iter().find(|span| span.parent == failed[0].id);
    let refused = refused.unwrap();
    assert!(refused.is_failed);
    assert_eq!(attribute(refused, "http.response.status_code"), "403");

    let sent = world.simulator.requests("usage").await;
    let sent: BTreeSet<_> = sent
        .iter()
        .map(|request| {
            let of = |name| request["headers"][name].as_str().unwrap().to_owned();
            (of("ms-correlationid"), of("ms-requestid"))
        })
        .collect();
    let shown: BTreeSet<_> = requests
        .iter()
        .map(|span| {
            let of = |name| attribute(span, name).to_owned();
            (of("ms.correlation_id"), of("ms.request_id"))
        })
        .collect();
    assert_eq!(sent, shown);
}

#[tokio::test]
async fn a_trace_has_neither_secrets_nor_customers() {
    let mut world = World::with_customers(3).await;
    let collector = Collector::start(Answer::Take).await;
    collector.configure(&mut world);
    world.set_variable("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=of-the-collector");
    world.set("customers.discover", "true");
    world.set("log.filter", "trace");
    world.backfill().await.assert_code(0);

    let batches = collector.batches();
    assert!(!batches.is_empty());
    let mut hidden = world.simulator.customers().await;
    hidden.extend(world.lines("select customer_name from customer").await);
    hidden.extend(
        world
            .lines("select distinct product_name from license_usage")
            .await,
    );
    hidden.extend(["sim-secret", "sim-refresh", "Bearer", "eyJ"].map(str::to_owned));
    for batch in &batches {
        assert_eq!(batch.path, "/v1/traces");
        assert_eq!(batch.headers["content-type"], "application/x-protobuf");
        assert_eq!(batch.headers["x-tenant"], "of-the-collector");
        assert!(!batch.headers.contains_key("authorization"));
        let body = String::from_utf8_lossy(&batch.body);
        for text in &hidden {
            assert!(!body.contains(text), "{text} is in a trace");
        }
    }
}

#[tokio::test]
async fn each_run_of_the_daemon_is_a_trace_of_its_own() {
    let mut world = World::with_customers(2).await;
    let collector = Collector::start(Answer::Take).await;
    collector.configure(&mut world);
    belong_to_caller(&mut world);
    world.set("schedule.cron", "* * * * * *");
    world.set("status.listen", "127.0.0.1:0");
    let daemon = world.start(&[]);
    let runs = until("two runs are traced", async || {
        let runs = collector.named("sync.run");
        (runs.len() >= 2).then_some(runs)
    })
    .await;
    daemon.signal("TERM");
    daemon.finish().await.assert_code(0);
    let mut traces = BTreeMap::new();
    for run in &runs {
        assert_eq!(run.parent, "");
        assert_ne!(run.trace, TRACE);
        traces.insert(&run.trace, attribute(run, "run.id"));
    }
    assert_eq!(traces.len(), runs.len());
}

#[tokio::test]
async fn a_partner_wide_run_shows_its_collections() {
    let mut world = World::with_customers(3).await;
    let collector = Collector::start(Answer::Take).await;
    collector.configure(&mut world);
    world.set("partner_center.source", "commercial");
    world.backfill().await.assert_code(0);
    let collections = collector.named("sync.collection");
    let of: BTreeMap<_, _> = collections
        .iter()
        .map(|span| (attribute(span, "dataset"), &span.id))
        .collect();
    assert_eq!(
        of.keys().copied().collect::<Vec<_>>(),
        ["deployment", "usage"]
    );
    for request in collector.named("partner_center.request") {
        assert_eq!(of[attribute(&request, "dataset")], &request.parent);
    }
}
