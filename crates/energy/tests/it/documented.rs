//! The examples of `docs/energy.md` are what the crate computes.

use std::path::Path;

use crate::day::Day;

#[test]
fn the_examples_of_the_documentation_are_true() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/energy.md");
    let text = std::fs::read_to_string(path).unwrap();
    let examples: Vec<&str> =
        text.split("```energy\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(examples.len() >= 7, "{} examples", examples.len());
    for example in examples {
        check(example);
    }
}

fn check(example: &str) {
    let mut day = Day::default();
    for line in example.lines().filter(|line| !line.starts_with('=')) {
        let words: Vec<&str> = line.split(' ').collect();
        day = match words[..] {
            ["resolution_wh", wh] => day.with(|settings| settings.resolution_mwh = thousandths(wh)),
            ["register", "net"] => day.with(|settings| settings.is_net = true),
            ["swap", clock, old, new] => day.swap(clock, old.parse().unwrap(), new.parse().unwrap()),
            [clock, "import", wh] => day.import_mwh(clock, thousandths(wh)),
            [clock, "power", w] => day.power(&[(clock, w.parse().unwrap())]),
            _ => panic!("{line}: what is that?"),
        };
    }
    for line in example.lines().filter_map(|line| line.strip_prefix("= ")) {
        let (clocks, expected) = line.split_once(": ").unwrap();
        let clocks: Vec<&str> = clocks.split(' ').collect();
        assert_eq!(day.imports(&clocks), [expected.replace(',', "")], "{example}");
    }
}

fn thousandths(text: &str) -> i64 {
    wattline_reading::register::parse_wh(text).unwrap()
}
