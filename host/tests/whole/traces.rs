//! A collector is told where the time of each order went, through the binary as a user starts it.

use std::collections::BTreeMap;

use hotpit::ops::Counter;
use opentelemetry_proto::tonic::trace::v1::Span;

use crate::support::collector::Collector;
use crate::support::{Floor, MAKER, Setup};

const SECRET: &str = "c0llector-hunter2";

/// The traces that are whole: their order has ended.
fn whole(spans: &[Span]) -> BTreeMap<String, Vec<&Span>> {
    let mut traces: BTreeMap<String, Vec<&Span>> = BTreeMap::new();
    for span in spans {
        let id = span.trace_id.iter().map(|byte| format!("{byte:02x}")).collect();
        traces.entry(id).or_default().push(span);
    }
    traces.retain(|_, spans| spans.iter().any(|span| span.name == "order"));
    traces
}

fn has(spans: &[&Span], name: &str) -> bool {
    spans.iter().any(|span| span.name == name)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_gets_each_order_from_the_quote_to_the_fill_and_the_log_names_its_trace() {
    let collector = Collector::start().await;
    let endpoint = &collector.endpoint;
    let setup = Setup::with(&MAKER)
        .line("log", "level = \"info,hotpit::desk=debug\"\nformat = \"json\"")
        .line("traces", format!("endpoint = \"{endpoint}\"\nresource = \"team=test\""));
    let floor = Floor::open(&setup).await;
    let headers = format!("authorization=Bearer%20{SECRET}");
    let program = floor.spawn_with(&[("HOTPIT_TRACES_HEADERS", &headers)]);
    let is_filled = |spans: &[&Span]| has(spans, "fill") && has(spans, "quote to agent");
    floor
        .until_so("an order that was filled is traced", async || {
            floor.hit().await;
            whole(&collector.got().spans).values().any(|spans| is_filled(spans))
        })
        .await;
    let status = floor.told().await.unwrap();
    program.stop();

    let got = collector.got();
    assert!(got.requests >= 2, "what the collector had no time for came again");
    let authorized = Some(format!("Bearer {SECRET}"));
    assert!(got.authorizations.iter().all(|authorization| *authorization == authorized));
    assert!(got.resources[0].contains("team") && got.resources[0].contains("service.name"));
    let exported = |counter: &&Counter| counter.name == "hotpit_spans_exported_total";
    assert!(status.counters.iter().find(exported).unwrap().value > 0);
    let traces = whole(&got.spans);
    let log = std::fs::read_to_string(floor.folder.path().join("stderr")).unwrap();
    for (id, spans) in &traces {
        let root = spans.iter().find(|span| span.name == "order").unwrap();
        for span in spans {
            assert!(span.start_time_unix_nano <= span.end_time_unix_nano, "{span:?}");
            assert!(span.name == "order" || span.parent_span_id == root.span_id, "{span:?}");
            // The exchange's clock is not ours.
            let is_within = span.start_time_unix_nano >= root.start_time_unix_nano;
            assert!(is_within || span.name == "fill", "{span:?} in {root:?}");
        }
        for name in ["agent", "agent to desk", "risk", "journal", "send"] {
            assert!(has(spans, name), "{name} in {spans:?}");
        }
        assert!(log.contains(&format!("\"trace_id\":\"{id}\"")), "{id}");
    }
    assert!(!log.contains(SECRET) && !format!("{status:?}").contains(SECRET));
}
