//! Style that a compiler doesn't check: sizes, words, and documents that name only what exists.

mod circles;
mod cited;
mod duplicates;
mod figures;
mod layers;
mod modules;
mod source;
mod sql;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use wattline_tests::system::bin_dir;

use crate::fixture::assert_ok;

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;
/// Never looked into: made by tools, or measured.
const SKIPPED: [&str; 7] = ["target", ".git", ".stack", ".cluster", "Cargo.lock", "LICENSE", "reports"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// Every text file of the tree, by its path from the root.
fn files() -> Vec<(String, String)> {
    let root = root();
    let mut open = vec![root.clone()];
    let mut found = Vec::new();
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if SKIPPED.contains(&name.as_str()) || path.is_symlink() {
                continue;
            }
            if path.is_dir() {
                open.push(path);
            } else if let Ok(text) = fs::read_to_string(&path) {
                found.push((path.strip_prefix(&root).unwrap().display().to_string(), text));
            }
        }
    }
    assert!(found.len() > 100, "{} files", found.len());
    found
}

fn assert_none(what: &str, findings: &[String]) {
    assert!(findings.is_empty(), "{what}:\n  {}", findings.join("\n  "));
}

#[test]
fn files_are_short() {
    let long = files().into_iter().filter(|(path, _)| path.ends_with(".rs")).filter_map(|(path, text)| {
        let lines = text.lines().count();
        (lines > FILE_LINES_MAX).then(|| format!("{path}: {lines} lines"))
    });
    assert_none("more than 500 lines", &long.collect::<Vec<_>>());
}

#[test]
fn functions_are_short() {
    let mut long = Vec::new();
    for (path, text) in files().into_iter().filter(|(path, _)| path.ends_with(".rs")) {
        let lines: Vec<&str> = text.lines().collect();
        for (start, line) in lines.iter().enumerate() {
            let trimmed = line.trim_start();
            let signature = trimmed.split('(').next().unwrap_or_default();
            if trimmed.starts_with("//")
                || signature.split_whitespace().rev().nth(1).is_none_or(|word| word != "fn")
            {
                continue;
            }
            // Formatted code closes a function with a brace at its own indent.
            let end = format!("{}}}", &line[..line.len() - trimmed.len()]);
            let length = lines[start..].iter().position(|line| **line == end).unwrap_or(0);
            if length > FUNCTION_LINES_MAX {
                long.push(format!("{path}:{}: {length} lines", start + 1));
            }
        }
    }
    assert_none("functions of more than 70 lines", &long);
}

#[test]
fn nothing_is_left_for_later_and_nothing_names_a_machine_or_a_registry() {
    // In pieces, or this file would find itself.
    let words = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X"),
        concat!("/wo", "rk/"),
        concat!("/ro", "ot/"),
        concat!("static.crates", ".io"),
        concat!("index.crates", ".io"),
        concat!("repo.maven", ".apache"),
        concat!("repo1.maven", ".org"),
        concat!("deb.debian", ".org"),
        concat!("registry.npm", "js"),
        concat!("pypi", ".org"),
        concat!("files.python", "hosted"),
        concat!("proxy.golang", ".org"),
    ];
    let mut found = Vec::new();
    for (path, text) in files() {
        for (number, line) in text.lines().enumerate() {
            for word in words {
                if line.contains(word) {
                    found.push(format!("{path}:{}: {word}", number + 1));
                }
            }
        }
    }
    assert_none("words that must not be in the tree", &found);
}

#[test]
fn documents_name_only_files_that_exist() {
    let root = root();
    let mut missing = Vec::new();
    for (path, text) in files().into_iter().filter(|(path, _)| path.ends_with(".md")) {
        let folder = root.join(&path).parent().unwrap().to_owned();
        for (number, line) in text.lines().enumerate() {
            for name in code_paths(line) {
                if !root.join(&name).exists() && !folder.join(&name).exists() {
                    missing.push(format!("{path}:{}: {name}", number + 1));
                }
            }
            for link in links(line) {
                if !folder.join(&link).exists() {
                    missing.push(format!("{path}:{}: {link}", number + 1));
                }
            }
        }
    }
    assert_none("documents name what doesn't exist", &missing);
}

/// `path/in/backticks` that begin with a folder of this tree, without patterns.
fn code_paths(line: &str) -> Vec<String> {
    let words = line.split('`').skip(1).step_by(2);
    let folders = [
        "services/",
        "crates/",
        "config/",
        "sql/",
        "docs/",
        "scripts/",
        "tests/",
        "tools/",
        "loadtest/",
        ".ci/",
        ".github/",
    ];
    words
        .filter(|word| folders.iter().any(|folder| word.starts_with(folder)))
        .filter(|word| !word.contains(['<', '*', '{', ' ', '…']))
        .map(|word| word.split([':', '#']).next().unwrap_or_default().to_owned())
        .collect()
}

/// Targets of Markdown links that are files.
fn links(line: &str) -> Vec<String> {
    let targets = line.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets
        .filter(|target| {
            !target.contains("://") && !target.starts_with('#') && !target.starts_with("mailto:")
        })
        .map(|target| target.split('#').next().unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn every_sample_configuration_is_what_its_service_prints_and_takes() {
    let mut count = 0;
    for entry in fs::read_dir(root().join("config")).unwrap() {
        let path = entry.unwrap().path();
        let service = path.file_stem().unwrap().to_string_lossy().into_owned();
        let program = assert_ok(bin_dir()).join(format!("wattline-{service}"));
        let run = |command: &mut Command| {
            let output = command.output().unwrap_or_else(|error| panic!("{}: {error}", program.display()));
            let errors = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "{}: {errors}", path.display());
            String::from_utf8(output.stdout).unwrap()
        };
        let printed = run(Command::new(&program).arg("--sample"));
        let kept = fs::read_to_string(&path).unwrap();
        assert_eq!(kept, printed, "{} is not what its service prints: run `make config`", path.display());
        run(Command::new(&program).arg("--config").arg(&path).arg("--check=offline"));
        // What is shown as an example is taken, too.
        let examples: Vec<&str> = kept.split("\n\n").filter(|block| block.contains("\n# [[")).collect();
        for example in &examples {
            let from = example.find("\n# [[").unwrap();
            let lines =
                example[from..].lines().map(|line| line.trim_start_matches("# ").trim_start_matches('#'));
            let file = tempfile::NamedTempFile::new().unwrap();
            fs::write(file.path(), lines.collect::<Vec<_>>().join("\n")).unwrap();
            run(Command::new(&program).arg("--config").arg(file.path()).arg("--check=offline"));
        }
        assert_eq!(examples.len(), if service == "mqtt-ingest" { 2 } else { 0 }, "{}", path.display());
        count += 1;
    }
    assert_eq!(count, 4, "one sample per service");
}
