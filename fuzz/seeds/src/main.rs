//! Writes the corpus of a target from the payloads of the tests: `seeds TARGET FAMILY FORMATS CORPUS`.

use std::path::PathBuf;
use std::{env, fs};

/// A case of `crates/formats/test_data/<family>.txt`.
struct Case {
    topic: String,
    payload: Vec<u8>,
    route: Option<serde_json::Value>,
}

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [target, family, formats, corpus] = arguments.as_slice() else {
        panic!("seeds TARGET FAMILY FORMATS CORPUS");
    };
    let corpus = PathBuf::from(corpus);
    fs::create_dir_all(&corpus).expect("the corpus");
    let text =
        fs::read_to_string(PathBuf::from(formats).join(format!("{family}.txt"))).expect("the payloads");
    let cases = text.split("\n\n").filter(|block| !block.trim().is_empty()).map(Case::read);
    for (number, case) in cases.enumerate() {
        for (kind, seed) in seeds(target, &case).into_iter().enumerate() {
            fs::write(corpus.join(format!("seed-{family}-{number}-{kind}")), seed).expect("a seed");
        }
    }
}

fn seeds(target: &str, case: &Case) -> Vec<Vec<u8>> {
    let lines = |head: &[u8]| [head, b"\n", &case.payload].concat();
    match target {
        "decode" => {
            [0_u8, 1, 4, 8, 12].map(|flags| lines(&[&[flags], case.topic.as_bytes()].concat())).to_vec()
        }
        "declarative" => {
            let declared = case.route.as_ref().and_then(|route| route.get("readings"));
            declared.map(|readings| lines(readings.to_string().as_bytes())).into_iter().collect()
        }
        "routes" => {
            let levels: Vec<&str> = case.topic.split('/').collect();
            let plus = |at: usize| {
                let level = |(index, level): (usize, &&str)| {
                    if index == at { "+".to_owned() } else { (*level).to_owned() }
                };
                levels.iter().enumerate().map(level).collect::<Vec<_>>().join("/")
            };
            let filters = format!("{}\n{} {{2}}/x\n{}/#", plus(1), plus(0), levels[0]);
            vec![format!("{}\n{filters}", case.topic).into_bytes()]
        }
        _ => vec![case.payload.clone()],
    }
}

// === impl Case ===

impl Case {
    fn read(block: &str) -> Self {
        let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        let payload = match (field("payload"), field("payload-json"), field("payload-hex")) {
            (Some(text), ..) => text.as_bytes().to_vec(),
            (None, Some(text), _) => {
                serde_json::from_str::<String>(text).expect("a text in JSON").into_bytes()
            }
            (None, None, hex) => {
                let hex = hex.unwrap_or_default();
                let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("a byte");
                (0..hex.len()).step_by(2).map(byte).collect()
            }
        };
        let route = field("route").map(|text| serde_json::from_str(text).expect("a route"));
        Self { topic: field("topic").unwrap_or_default().to_owned(), payload, route }
    }
}
