//! What errors and documents tell a person to run exists: each command is given to `wattlinectl` as it stands, with `--help`
//! behind it, which it answers only where everything before is its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

#[test]
fn every_command_that_is_named_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut files = Vec::new();
    for folder in ["crates", "services", "tools", "docs", "charts", "scripts"] {
        collect(&root.join(folder), &mut files);
    }
    files.push(root.join("README.md"));
    let mut seen = 0;
    for file in files {
        let text = fs::read_to_string(&file).unwrap().replace("\\\n", "\n");
        for words in commands(&text) {
            seen += 1;
            let output =
                Command::new(env!("CARGO_BIN_EXE_wattlinectl")).args(&words).arg("--help").output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{}: wattlinectl {}: {said}", file.display(), words.join(" "));
        }
    }
    assert!(seen > 40, "only {seen} were found");
}

/// Rust, Markdown and YAML, without what is built.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let wanted =
            path.extension().is_some_and(|it| ["rs", "md", "yaml", "sh"].iter().any(|end| it == *end));
        if path.is_dir() && !path.ends_with("target") {
            collect(&path, files);
        } else if wanted && !path.ends_with("tests/it/named.rs") {
            files.push(path);
        }
    }
}

/// The words behind `wattlinectl` where it stands between backticks, or at the beginning of a line of a code block.
fn commands(text: &str) -> Vec<Vec<String>> {
    let ticked =
        text.split("`wattlinectl ").skip(1).filter_map(|rest| rest.split_once('`')).map(|(it, _)| it);
    let lines = text.lines().filter_map(|line| {
        let line = line.strip_prefix("    ")?;
        line.strip_prefix("$ ").unwrap_or(line).strip_prefix("wattlinectl ")
    });
    ticked.chain(lines).filter_map(words).collect()
}

/// None where it is a way of writing several. What is to be put in by the reader is 1.
fn words(command: &str) -> Option<Vec<String>> {
    let command = command.split(['<', '>', ';', '&', '\\']).next().unwrap_or_default();
    if command.contains(['…', '|', '"']) || command.len() > 300 {
        return None;
    }
    let word = |word: &str| {
        let to_fill = word.starts_with('{') || word.bytes().all(|byte| byte.is_ascii_uppercase());
        if to_fill { "1".to_owned() } else { word.trim_matches(['"', '\'']).to_owned() }
    };
    Some(command.split_whitespace().map(word).collect())
}
