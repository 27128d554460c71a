//! What a year of a home with 12 lines costs in time: `cargo bench -p wattline-tariff --bench year`. Medians of
//! rounds in CPU time of one thread, so a busy machine does not show; Linux tells it.
#![expect(clippy::print_stdout, reason = "its table is its output")]

use std::hint::black_box;
use std::time::Duration;

use serde_json::{Value, json};
use wattline_tariff::{Format, cost, print, read};

const ROUNDS: usize = 15;
/// A year of Berlin.
const RANGE: [&str; 2] = ["2025-12-31T23:00:00Z", "2026-12-31T23:00:00Z"];
const QUARTERS: u64 = 35_040;

fn main() {
    println!("| a year, 35,040 quarter-hours × 12 lines | ms of CPU |\n| --- | --- |");
    for resolution in ["total", "1mo", "1d", "1h"] {
        let question = read(&input(resolution).to_string()).unwrap();
        let median = median(|| drop(black_box(cost(&question).unwrap())));
        println!("| cost, resolution {resolution} | {} |", ms(median));
    }
    let text = input("1mo").to_string();
    println!(
        "| reading {} KiB of JSON | {} |",
        text.len() / 1024,
        ms(median(|| drop(black_box(read(&text).unwrap()))))
    );
    let whole = median(|| drop(black_box(print(&text, Format::Json, false).unwrap())));
    println!("| reading, cost by month, writing | {} |", ms(whole));
}

fn median(mut work: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let start = cpu();
            work();
            cpu() - start
        })
        .collect();
    times.sort_unstable();
    times[ROUNDS / 2]
}

/// What this thread has run for.
fn cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}

fn ms(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64() * 1_000.0)
}

/// Energy and prices that differ from quarter-hour to quarter-hour, the same in each run.
fn input(resolution: &str) -> Value {
    let spread = |place: u64, most: u64| (place + most).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33;
    let mwh = |most: u64| (0..QUARTERS).map(|place| json!(spread(place, most) % most)).collect::<Vec<_>>();
    let price = |place: u64| json!(format!("0.{:05}", spread(place, 40_000) % 40_000));
    let tariff = |id: &str, kind: &str, components: Value| json!({"id": id, "kind": kind, "currency": "EUR", "versions": [{"from": "2020-01-01", "vat": "19", "components": components}]});
    let bands = json!([{"id": "high", "when": {"hours": ["17:00-20:00"], "days": ["mon-fri"]}, "price": "0.15"},
        {"id": "low", "when": {"hours": ["23:00-06:00"]}, "price": "0.03"}, {"id": "normal", "price": "0.08"}]);
    let agreements: Vec<Value> = ["supply", "grid", "tax", "out"]
        .iter()
        .map(|id| json!({"id": id, "tariff": id, "from": "2024-01-01"}))
        .collect();
    json!({
        "zone": "Europe/Berlin", "range": RANGE, "resolution": resolution,
        "meters": [{"id": "grid", "role": "grid", "runs": [
            {"from": RANGE[0], "to": RANGE[1], "import_mwh": mwh(700_000), "export_mwh": mwh(300_000)}]}],
        "prices": [{"series": "spot", "currency": "EUR", "published": "2025-12-30T12:00:00Z", "start": RANGE[0],
            "minutes": 15, "values": (0..QUARTERS).map(price).collect::<Vec<_>>()}],
        "tariffs": [
            tariff("supply", "supply", json!([{"id": "energy", "kind": "energy", "spot": {"series": "spot", "add": "0.018"}},
                {"id": "fee", "kind": "standing", "price": "4.9", "per": "month"},
                {"id": "service", "kind": "percent", "percent": "2.5", "of": ["energy"]}])),
            tariff("grid", "grid", json!([{"id": "use", "kind": "energy", "bands": bands},
                {"id": "meter", "kind": "standing", "price": "20", "per": "year"},
                {"id": "power", "kind": "capacity", "window": "PT15M", "average_months": 12, "min_kw": "2.5", "price_per_kw": "4"}])),
            tariff("tax", "tax", json!([{"id": "tax", "kind": "energy", "price": "0.0205"},
                {"id": "levy", "kind": "percent", "percent": "10", "of": ["tax"]}])),
            tariff("out", "export", json!([{"id": "sold", "kind": "energy", "measure": "export",
                "spot": {"series": "spot", "factor": "0.95", "average": "PT1H"}},
                {"id": "handling", "kind": "standing", "price": "1", "per": "month"}])),
        ],
        "agreements": agreements,
    })
}
