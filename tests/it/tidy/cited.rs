//! Comments name only files that exist: in Rust, SQL, shell, TOML and YAML.

use std::collections::BTreeSet;
use std::fmt;

use super::{assert_none, files, root, source};

/// A word is taken for a file of this tree when it ends like one that only this tree has...
const ENDINGS: [&str; 4] = [".md", ".rs", ".sql", ".sh"];
/// ... or begins with one of its folders.
const FOLDERS: [&str; 14] = [
    ".ci/",
    ".github/",
    "charts/",
    "config/",
    "crates/",
    "dashboards/",
    "docs/",
    "fuzz/",
    "loadtest/",
    "scripts/",
    "services/",
    "sql/",
    "tests/",
    "tools/",
];

#[test]
fn comments_name_only_files_that_exist() {
    let files = files();
    let tree = Tree::of(files.iter().map(|(path, _)| path.as_str()));
    let missing = files.iter().flat_map(|(path, text)| tree.missing(path, text));
    // Pictures and reports are no text that is read here.
    let missing = missing.filter(|missing| !root().join(&missing.name).exists());
    let missing: Vec<String> = missing.map(|missing| missing.to_string()).collect();
    assert_none("comments name what doesn't exist", &missing);
}

/// Every path of the tree, and every end of one: `tidy/cited.rs` is enough.
struct Tree(BTreeSet<String>);

/// A name that leads nowhere, and where it stands.
struct Missing {
    path: String,
    line: usize,
    name: String,
}

impl fmt::Display for Missing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}: {}", self.path, self.line, self.name)
    }
}

impl Tree {
    fn of<'a>(paths: impl Iterator<Item = &'a str>) -> Self {
        let mut ends = BTreeSet::new();
        for path in paths {
            // A folder is named as well, with or without the slash at its end.
            for (at, _) in path.match_indices('/').chain([(path.len(), "")]) {
                let whole = &path[..at];
                ends.insert(whole.to_owned());
                ends.extend(whole.match_indices('/').map(|(slash, _)| whole[slash + 1..].to_owned()));
            }
        }
        Self(ends)
    }

    fn missing(&self, path: &str, text: &str) -> Vec<Missing> {
        let mut missing = Vec::new();
        for (line, comment) in comments(path, text) {
            for name in names(&comment) {
                let plain = name.trim_start_matches("../").trim_start_matches("./").trim_end_matches('/');
                if !self.0.contains(plain) {
                    missing.push(Missing { path: path.to_owned(), line, name });
                }
            }
        }
        missing
    }
}

/// The comments of a file, by the line from 1.
fn comments(path: &str, text: &str) -> Vec<(usize, String)> {
    let mark = match path.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "rs" => return source::comments(text),
        "sql" => "--",
        "sh" | "toml" | "yaml" | "yml" => "#",
        _ => return Vec::new(),
    };
    let begin = |line: &str| {
        let mut marks = line.match_indices(mark).map(|(at, _)| at);
        marks.find(|&at| line[..at].chars().next_back().is_none_or(char::is_whitespace))
    };
    (1..).zip(text.lines()).filter_map(|(at, line)| Some((at, line[begin(line)?..].to_owned()))).collect()
}

/// The words that name a file or a folder of this tree. Patterns name none, nor do parts of an address, nor what is
/// built.
fn names(comment: &str) -> Vec<String> {
    let separates = |char: char| char.is_whitespace() || "`'\"(),;=…[]".contains(char);
    let words = comment.split(separates).map(|word| word.trim_end_matches(['.', ':', '!', '?']));
    words
        .filter(|word| {
            !word.contains("://")
                && !word.contains("/target/")
                && !word.contains(['<', '>', '*', '{', '}', '$', '|', '@', '%'])
        })
        .map(|word| word.split(['#', ':']).next().unwrap_or_default())
        .filter(|word| {
            let stem = word.rsplit(['/', '.']).nth(1).unwrap_or_default();
            FOLDERS.iter().any(|folder| word.starts_with(folder) && word.len() > folder.len())
                || ENDINGS.iter().any(|ending| word.ends_with(ending)) && !stem.is_empty()
        })
        .map(str::to_owned)
        .collect()
}

#[test]
fn a_missing_file_is_found_in_each_kind_of_comment() {
    let tree = Tree::of(["docs/energy.md", "services/sink/src/write/copy.rs"].into_iter());
    let missing = |path: &str, text: &str| -> Vec<String> {
        tree.missing(path, text).iter().map(Missing::to_string).collect()
    };
    assert_eq!(missing("a.rs", "//! See ENERGY.md.\nlet x = \"docs/text.md\";"), ["a.rs:1: ENERGY.md"]);
    assert_eq!(missing("b.sql", "SELECT 1; -- docs/gone.md says why"), ["b.sql:1: docs/gone.md"]);
    assert_eq!(missing("c.sh", "# one\nx=1 # scripts/gone.sh: two"), ["c.sh:2: scripts/gone.sh"]);
    assert_eq!(missing("d.toml", "# `services/sink/gone`, …\n"), ["d.toml:1: services/sink/gone"]);
    assert_eq!(missing("e.yaml", "a: b # docs/gone.md#part"), ["e.yaml:1: docs/gone.md"]);
}

#[test]
fn files_that_exist_addresses_and_patterns_are_no_findings() {
    let tree = Tree::of(["docs/energy.md", "services/sink/src/write/copy.rs"].into_iter());
    let text = "// docs/energy.md, copy.rs, `write/copy.rs`; services/sink/src/ and ../docs/energy.md:\n\
                // https://host/docs/other.md, docs/*.md, services/<name>/README.md, .rs files, and/or";
    assert_eq!(
        tree.missing("a.rs", text).iter().map(Missing::to_string).collect::<Vec<_>>(),
        Vec::<String>::new()
    );
}
