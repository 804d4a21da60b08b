//! A collector that is away, hangs or refuses neither fails a run nor holds it up.

use std::time::{Duration, Instant};

use super::collector::{Answer, Collector};
use crate::support::{World, get, until};

/// The time in which the service manager expects a stop.
const STOP: Duration = Duration::from_secs(15);

const IS_AWAY: &str = "The collector of traces does not take spans";

async fn stored(world: &World) -> i64 {
    world.value("select count(*) from license_usage").await
}

#[tokio::test]
async fn a_collector_that_hangs_holds_up_no_run() {
    let mut world = World::with_customers(40).await;
    let collector = Collector::start(Answer::Hang).await;
    collector.configure(&mut world);
    world.set_variable("OTEL_BSP_MAX_QUEUE_SIZE", "20");
    world.set_variable("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "10");
    let ran = world.backfill().await;
    ran.assert_code(0);
    assert_eq!(ran.summary()["customers"]["succeeded"], 40);
    assert!(!collector.batches().is_empty());
    let said = "spans did not reach the collector of traces";
    assert_eq!(ran.stderr.matches(said).count(), 1, "{}", ran.stderr);
}

#[tokio::test]
async fn a_collector_that_hangs_holds_up_no_stop() {
    let mut world = World::with_customers(3).await;
    let collector = Collector::start(Answer::Hang).await;
    collector.configure(&mut world);
    let daemon = world.start(&[]);
    daemon.says("Waiting for the next run").await;
    until("a batch is under way", async || {
        (!collector.batches().is_empty()).then_some(())
    })
    .await;
    let began = Instant::now();
    daemon.signal("TERM");
    daemon.finish().await.assert_code(0);
    assert!(began.elapsed() < STOP, "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_collector_that_is_away_is_said_once_and_counted() {
    let mut world = World::with_customers(3).await;
    // Nothing listens there.
    world.set_variable("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9");
    world.set_variable("OTEL_EXPORTER_OTLP_TIMEOUT", "100");
    world.set_variable("OTEL_BSP_SCHEDULE_DELAY", "50");
    world.set("schedule.cron", "* * * * * *");
    world.set("status.listen", "127.0.0.1:0");
    let daemon = world.start(&[]);
    let metrics = format!("{}metrics", daemon.status_address().await);
    until("spans of two runs are lost", async || {
        let (_, page) = get(&metrics).await;
        let lost = page
            .lines()
            .find_map(|line| line.strip_prefix("seatledger_trace_spans_total{fate=\"lost\"} "));
        let runs: i64 = world
            .value("select count(*) from sync_run where outcome = 'succeeded'")
            .await;
        (lost? != "0" && runs >= 2).then_some(())
    })
    .await;
    daemon.signal("TERM");
    let ended = daemon.finish().await;
    ended.assert_code(0);
    assert_eq!(ended.stderr.matches(IS_AWAY).count(), 1, "{}", ended.stderr);
    assert!(stored(&world).await > 0);
}

#[tokio::test]
async fn a_collector_that_refuses_is_said_with_its_status_and_without_its_address() {
    let mut world = World::new().await;
    let collector = Collector::start(Answer::Refuse).await;
    collector.configure(&mut world);
    world.set_variable(
        "OTEL_EXPORTER_OTLP_HEADERS",
        "x-key=secret-of-the-collector",
    );
    let ran = world.backfill().await;
    ran.assert_code(0);
    let line = ran.stderr.lines().find(|line| line.contains(IS_AWAY));
    let line = line.unwrap_or_else(|| panic!("{}", ran.stderr));
    assert!(line.contains("401"), "{line}");
    assert!(!ran.stderr.contains("secret-of-the-collector"));
}

#[tokio::test]
async fn nothing_is_sent_where_the_standard_variables_switch_traces_off() {
    for (name, value) in [
        ("OTEL_SDK_DISABLED", "true"),
        ("OTEL_TRACES_EXPORTER", "none"),
        ("OTEL_TRACES_SAMPLER", "always_off"),
    ] {
        let mut world = World::new().await;
        let collector = Collector::start(Answer::Take).await;
        collector.configure(&mut world);
        world.set_variable(name, value);
        world.backfill().await.assert_code(0);
        assert!(collector.batches().is_empty(), "{name}");
    }
}

#[tokio::test]
async fn a_protocol_that_is_not_built_in_is_said_with_the_one_that_is() {
    let mut world = World::new().await;
    let collector = Collector::start(Answer::Take).await;
    collector.configure(&mut world);
    world.set_variable("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
    let ran = world.backfill().await;
    ran.assert_code(0);
    assert!(ran.stderr.contains("traces are sent by"), "{}", ran.stderr);
    assert_eq!(collector.named("sync.run").len(), 1);
}
