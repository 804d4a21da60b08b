use super::*;
use crate::clock::ManualClock;

fn metrics() -> Metrics {
    let noon = "2026-05-04T12:00:00Z".parse().unwrap();
    Metrics::new(Arc::new(ManualClock::new(noon)))
}

/// The value of a series, such as `runs_total{outcome="failed"}`.
fn value(metrics: &Metrics, series: &str) -> Option<f64> {
    let text = metrics.render().unwrap();
    let found = text.lines().find_map(|line| {
        let (name, value) = line.rsplit_once(' ')?;
        (name.strip_prefix("seatledger_") == Some(series)).then(|| value.to_owned())
    });
    found.map(|value| value.parse().unwrap())
}

#[tokio::test]
async fn known_series_are_there_from_the_start_and_unknown_facts_are_left_out() {
    let metrics = metrics();
    for series in [
        r#"runs_total{outcome="interrupted"}"#,
        r#"rows_total{fate="updated"}"#,
        r#"items_total{fate="rejected"}"#,
        r#"api_requests_total{dataset="usage",code="429"}"#,
        r#"api_requests_total{dataset="customers",code="none"}"#,
        r#"api_request_duration_seconds_bucket{le="0.05"}"#,
        r#"notifications_total{target="ping",outcome="failed"}"#,
        r#"standing_error_since_timestamp_seconds{part="sign_in"}"#,
        "throttle_wait_seconds_total",
        "run_in_progress",
        "leader",
    ] {
        assert_eq!(value(&metrics, series), Some(0.0), "{series}");
    }
    for series in [
        "last_success_timestamp_seconds",
        "next_run_timestamp_seconds",
        "allowed_requests_per_second",
        r#"customers{state="active"}"#,
        "schema_version",
    ] {
        assert_eq!(value(&metrics, series), None, "{series}");
    }
}

#[tokio::test]
async fn a_request_is_counted_when_it_ends_and_without_an_answer_has_no_code() {
    let metrics = metrics();
    let mut answered = metrics.begin_request(ApiDataset::Usage);
    let dropped = metrics.begin_request(ApiDataset::Usage);
    assert_eq!(value(&metrics, "api_requests_in_flight"), Some(2.0));
    answered.answered(418);
    drop((answered, dropped));
    let of = |code| format!("api_requests_total{{dataset=\"usage\",code=\"{code}\"}}");
    assert_eq!(value(&metrics, &of("418")), Some(1.0));
    assert_eq!(value(&metrics, &of("none")), Some(1.0));
    assert_eq!(value(&metrics, "api_requests_in_flight"), Some(0.0));
    let count = "api_request_duration_seconds_count";
    assert_eq!(value(&metrics, count), Some(2.0));
}

#[tokio::test]
async fn a_run_is_under_way_until_it_is_dropped() {
    let metrics = metrics();
    let mut changes = metrics.changes();
    let run = metrics.begin_run();
    metrics.set_pending(7);
    assert_eq!(value(&metrics, "run_in_progress"), Some(1.0));
    assert_eq!(value(&metrics, "run_customers_pending"), Some(7.0));
    assert!(changes.has_changed().unwrap());
    changes.mark_unchanged();
    drop(run);
    assert_eq!(value(&metrics, "run_in_progress"), Some(0.0));
    assert_eq!(value(&metrics, "run_customers_pending"), Some(0.0));
    assert!(changes.has_changed().unwrap());
}

#[tokio::test]
async fn an_error_stands_since_it_was_first_seen() {
    let noon = "2026-05-04T12:00:00Z".parse().unwrap();
    let clock = Arc::new(ManualClock::new(noon));
    let metrics = Metrics::new(Arc::clone(&clock) as Arc<dyn Clock>);
    let series = r#"standing_error_since_timestamp_seconds{part="sign_in"}"#;
    metrics.error_stands(Part::SignIn);
    clock.set(noon + Duration::from_hours(1));
    metrics.error_stands(Part::SignIn);
    #[expect(clippy::cast_precision_loss, reason = "a date has few digits")]
    let since = noon.timestamp() as f64;
    assert_eq!(value(&metrics, series), Some(since));
    metrics.error_is_over(Part::SignIn);
    assert_eq!(value(&metrics, series), Some(0.0));
}

#[tokio::test]
async fn the_process_is_read_from_proc() {
    let text = metrics().render().unwrap();
    for name in [
        "process_cpu_seconds_total",
        "process_resident_memory_bytes",
        "process_virtual_memory_bytes",
        "process_open_fds",
        "process_max_fds",
        "process_threads",
    ] {
        let prefix = format!("{name} ");
        let line = text.lines().find(|line| line.starts_with(&prefix));
        let value: f64 = line.unwrap()[prefix.len()..].parse().unwrap();
        assert!(value > 0.0, "{name}");
    }
    assert!(
        text.contains("process_start_time_seconds 1777896000\n"),
        "{text}"
    );
}
