//! What a message costs until its readings are there, by family: `cargo bench -p wattline-routes --bench decode`.
//! The messages are those of `crates/formats/test_data` that become readings; medians of rounds, one thread.
#![expect(unsafe_code, reason = "an allocator that counts")]
#![expect(clippy::print_stdout, reason = "its table is its output")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use wattline_reading::{Limits, Timestamp};
use wattline_routes::{Decoded, Input, Judge, Memory, RouteSettings, Routes};

const ROUNDS: usize = 15;
/// Messages of one round, about.
const MESSAGES: usize = 20_000;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

// SAFETY: every call goes to the system's allocator with the arguments as they came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the rules of this function.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the rules of this function.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the rules of this function.
        unsafe { System.realloc(memory, layout, size) }
    }
}

struct Case {
    judge: Judge,
    topic: String,
    payload: Vec<u8>,
    at: Timestamp,
}

struct Cost {
    ns: f64,
    allocations: f64,
    readings: f64,
}

/// The same fields of the same message by a declaration: what a decoder of its own is compared with.
const DECLARED: [(&str, &str); 2] = [
    (
        "homewizard",
        r#"{"filter":"homewizard/+","decoder":"declarative","readings":[{
            "energy_import_wh":{"path":"total_power_import_kwh","unit":"kilo"},
            "energy_export_wh":{"path":"total_power_export_kwh","unit":"kilo"},
            "power_w":{"path":"active_power_w"},"voltage_v":{"path":"active_voltage_v"},
            "current_a":{"path":"active_current_a"},"frequency_hz":{"path":"active_frequency_hz"},
            "power_factor":{"path":"active_power_factor"},
            "phases":[
              {"power_w":{"path":"active_power_l1_w"},"voltage_v":{"path":"active_voltage_l1_v"},
               "current_a":{"path":"active_current_l1_a"}},
              {"power_w":{"path":"active_power_l2_w"},"voltage_v":{"path":"active_voltage_l2_v"},
               "current_a":{"path":"active_current_l2_a"}},
              {"power_w":{"path":"active_power_l3_w"},"voltage_v":{"path":"active_voltage_l3_v"},
               "current_a":{"path":"active_current_l3_a"}}]}]}"#,
    ),
    (
        "tasmota",
        r#"{"filter":"tele/+/SENSOR","decoder":"declarative","readings":[{"time":{"path":"Time"},
            "energy_import_wh":{"path":"ENERGY.Total","unit":"kilo"},"power_w":{"path":"ENERGY.Power"},
            "voltage_v":{"path":"ENERGY.Voltage"},"current_a":{"path":"ENERGY.Current"},
            "power_factor":{"path":"ENERGY.Factor"}}]}"#,
    ),
];

fn cases(family: &str) -> Vec<Case> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../formats/test_data/{family}.txt"));
    let text = fs::read_to_string(path).unwrap();
    let blocks = text.split("\n\n").filter(|block| block.contains("\"kind\":\"readings\""));
    blocks
        .map(|block| {
            let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name));
            let payload = match (field("payload: "), field("payload-json: "), field("payload-hex: ")) {
                (Some(text), ..) => text.as_bytes().to_vec(),
                (None, Some(text), _) => serde_json::from_str::<String>(text).unwrap().into_bytes(),
                (None, None, hex) => {
                    let hex = hex.unwrap();
                    let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
                    (0..hex.len()).step_by(2).map(byte).collect()
                }
            };
            let at = field("at: ").unwrap_or("2026-11-20T10:00:30Z");
            Case {
                judge: judge(field("route: ")),
                topic: field("topic: ").unwrap().to_owned(),
                payload,
                at: Timestamp::parse_rfc3339(at).unwrap(),
            }
        })
        .collect()
}

/// All default routes, as in service; or the route alone that a case needs.
fn judge(route: Option<&str>) -> Judge {
    let own: Vec<RouteSettings> = route.iter().map(|route| serde_json::from_str(route).unwrap()).collect();
    let families = if own.is_empty() { vec!["all".to_owned()] } else { Vec::new() };
    let routes = Routes::new(&own, &families).unwrap();
    Judge { routes, limits: Limits::default(), payload_bytes_max: 65_536 }
}

fn cost(cases: &[Case]) -> Cost {
    let mut memory = Memory::default();
    let mut readings = 0;
    let mut round = |repeats: usize| {
        for _ in 0..repeats {
            for case in cases {
                let Case { topic, payload, at, .. } = case;
                let input = Input { topic, payload, retained: false, redelivered: false, received_at: *at };
                let decoded = case.judge.decide(black_box(&input), &mut memory, |_| {});
                if let Decoded::Readings(made) = black_box(decoded) {
                    readings += made.len();
                }
            }
        }
    };
    let repeats = MESSAGES.div_ceil(cases.len());
    let messages = (repeats * cases.len()) as f64;
    round(repeats / 4 + 1);
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    round(repeats);
    let allocations = (ALLOCATIONS.load(Ordering::Relaxed) - before) as f64 / messages;
    let mut times: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            round(repeats);
            start.elapsed().as_secs_f64() * 1e9 / messages
        })
        .collect();
    times.sort_by(f64::total_cmp);
    let decided = (repeats / 4 + 1 + repeats * (ROUNDS + 1)) * cases.len();
    Cost { ns: times[ROUNDS / 2], allocations, readings: readings as f64 / decided as f64 }
}

fn row(name: &str, cases: &[Case], cost: &Cost) {
    let bytes: usize = cases.iter().map(|case| case.payload.len()).sum();
    let bytes = bytes as f64 / cases.len() as f64;
    let Cost { ns, allocations, readings } = cost;
    println!("| {name} | {} | {bytes:.0} | {readings:.2} | {ns:.0} | {allocations:.1} |", cases.len());
}

fn main() {
    println!("| decoder | messages | bytes | readings | ns per message | allocations |");
    println!("| --- | ---: | ---: | ---: | ---: | ---: |");
    let wanted: Vec<String> = std::env::args().skip(1).filter(|name| !name.starts_with('-')).collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|wanted| wanted == name);
    for family in wattline_formats::FAMILIES.iter().filter(|family| is_wanted(family.name)) {
        let cases = cases(family.name);
        if !cases.is_empty() {
            row(&format!("`{}`", family.name), &cases, &cost(&cases));
        }
    }
    if !wanted.is_empty() {
        return;
    }
    println!("\n| the same message | messages | bytes | readings | ns per message | allocations |");
    println!("| --- | ---: | ---: | ---: | ---: | ---: |");
    for (family, declared) in DECLARED {
        let mut cases = cases(family);
        cases.truncate(1);
        let own = cost(&cases);
        row(&format!("`{family}`"), &cases, &own);
        cases.iter_mut().for_each(|case| case.judge = judge(Some(declared)));
        let by_paths = cost(&cases);
        row(&format!("by declaration, {:.2} times that", by_paths.ns / own.ns), &cases, &by_paths);
    }
}
