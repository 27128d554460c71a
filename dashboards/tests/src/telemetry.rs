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

const SERVERS: &str = "
## Servers

Not ours: exporters beside the servers, in the versions that the charts run. Without one of them its panels are empty and
its alerts silent; nothing else depends on it. Each says how it is known that it shows these metrics. What the tests run is
compared with this list, names, types and labels; of the rest they show examples in its place. `namespace`, `instance` and
`job` come from Prometheus.

Not exported are the figures of Artemis itself (queues, drops, memory), whose image has no exporter; HAProxy before it tells
whether it is there. `compose.yaml` runs no exporter of Mosquitto: it takes its password only from the environment, and its
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
