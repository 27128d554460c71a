//! `docs/telemetry.md`, made from what the services really say.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::exporters::Exporter;
use crate::exposition::Family;

const HEAD: &str = "# Metrics

Generated from the `/metrics` of running services and from `dashboards/exporters/exporters.json`; a test compares it.
To write it anew: `WATTLINE_WRITE=1 scripts/test.sh -p wattline-dashboards --test it metrics`.

Each service answers on its admin port (`service.admin_listen`), in the text form of OpenMetrics. Counters end in `_total`, units
are base units. Histograms have the series `_bucket`, `_sum` and `_count`. A series that could appear with its first
event is there from the start with 0, so that `rate()` sees that event too; only `connections_lost_total` and
`left_out_total` of mqtt-ingest begin with their first.

- **At the door**, per process and broker: `wattline_mqtt_ingest_received_total` = `forwarded_total` + `ignored_total` +
  `dead_lettered_total` + `shed_total` + `in_flight`, in every scrape.
- **In the store**, per partition: `wattline_timescale_sink_next_offset` − `first_offset` = the sum of `records_total` over
  all outcomes but `possible_duplicate`, which is a part of `stored`.
- **End-to-end age**: `wattline_timescale_sink_delay_seconds` (arrival to commit), `wattline_query_api_tail_delay_seconds`
  (arrival to live stream). **Lag**: `wattline_timescale_sink_lag_records` and `lag_seconds`, `wattline_aggregator_behind_seconds`.
";

const TRACES: &str = "
## Traces

Off by default. With `traces.endpoint` set, each service sends its spans as OTLP over HTTP (protobuf, to `ENDPOINT/v1/traces`) to
a collector on the same machine or in the same pod; TLS for a longer way is the collector's work. A collector that is away costs
nothing but the spans: they are dropped, and the log says so once. `service.name` is `wattline-` and the service's name.

| span | service | fields |
| --- | --- | --- |
| `message` | mqtt-ingest | of each chosen message, from its first record until Kafka has all of them |
| `batch` | timescale-sink | `writer`, `partitions`, `rows`, `bytes`, `stored`, `merged`, `duplicate`, `conflict`, `dead_lettered`, `duration_ms`; of each try |
| `group` | aggregator | `work`, `ranges`, `computed`, `changed`, `duration_ms` |
| `tail` | query-api | `partition`, `offset`; of each record of a chosen message, until all live streams can have it |
| `request` | query-api | `operation`, `kind`, `duration_ms`, `errors`, `rows`, `points` |
| `stream` | query-api | `subscriber` (the number of the WebSocket), `meter`, `events`, `dropped`, `duration_ms` |

`traces.sample_ratio` of the messages are chosen, 1 % by default, by their number. Their records carry the context of the span in
the header `traceparent` ([W3C Trace Context](https://www.w3.org/TR/trace-context/)); others have no header. A batch holds records of
many messages, so its span is no child of theirs: it *links* to them, at most 128, and is always taken when it does. So does the
group that computes what they changed, with its first try, and the live tail's record. Of all other spans the same share is taken.

The same spans are in the log, traces or not: each line carries the fields of the span that it was written in, in JSON too. With
`service.log_filter = \"info,wattline_query_api=debug\"` each request and each end of a stream is a line. Texts of queries, their
variables, tokens and passwords are in no field.
";

const SERVERS: &str = "
## Servers

Not ours: exporters beside the servers, in the versions that the charts run. Without one of them its panels are empty and
its alerts silent; nothing else depends on it. Each says how it is known that it shows these metrics. What the tests run is
compared with this list, names, types and labels; of the rest they show examples in its place. `namespace`, `instance` and
`job` come from Prometheus.

Not exported are the figures of Artemis itself (queues, memory), whose image has no exporter; HAProxy before it tells
whether it is there, and the chart's settings leave it nothing to drop. `compose.yaml` runs no exporter of Mosquitto: it takes its password only from the environment, and its
image has no shell that could read the file where `compose.yaml` keeps it; mqtt-ingest's own metrics tell of the connection.
";

/// The document. `services` are names with the families of one process each.
#[must_use]
pub fn document(services: &[(String, BTreeMap<String, Family>)], exporters: &[Exporter]) -> String {
    let mut text = HEAD.to_owned();
    let shared = |name: &str| services.iter().all(|(_, families)| families.contains_key(name));
    let _ = writeln!(text, "\n## Every service\n");
    if let Some((_, families)) = services.first() {
        table(&mut text, families.iter().filter(|(name, _)| shared(name)));
    }
    for (service, families) in services {
        let _ = writeln!(text, "\n## {service}\n");
        table(&mut text, families.iter().filter(|(name, _)| !shared(name)));
    }
    text.push_str(TRACES);
    text.push_str(SERVERS);
    for exporter in exporters {
        let Exporter { name, version, port, source, notes, evidence, metrics, .. } = exporter;
        let _ =
            writeln!(text, "\n### {name}\n\n[{name}]({source}) {version}, port {port}. {notes} {evidence}\n");
        let _ = writeln!(text, "| metric | type | labels | meaning |\n| --- | --- | --- | --- |");
        for metric in metrics {
            let _ = writeln!(
                text,
                "| `{}` | {} | {} | {} |",
                metric.name, metric.kind, metric.labels, metric.meaning
            );
        }
    }
    text
}

fn table<'a>(text: &mut String, families: impl Iterator<Item = (&'a String, &'a Family)>) {
    let _ = writeln!(text, "| metric | type | unit | labels | meaning |\n| --- | --- | --- | --- | --- |");
    for (name, family) in families {
        let suffix = if family.kind == "counter" { "_total" } else { "" };
        let labels: Vec<_> = family.labels.iter().map(String::as_str).collect();
        let (kind, unit, help) = (&family.kind, &family.unit, &family.help);
        let _ = writeln!(text, "| `{name}{suffix}` | {kind} | {unit} | {} | {help} |", labels.join(", "));
    }
}
