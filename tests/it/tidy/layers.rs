//! Arrows point down: `crates/` holds libraries, which know no service, no tool and no test.

use std::collections::BTreeMap;

use toml::Table;

use super::{assert_none, files};

/// For tests of a library against the real servers.
const FOR_TESTS: &str = "tools/localstack";

#[test]
fn libraries_depend_on_libraries_only() {
    let files: BTreeMap<String, String> = files().into_iter().collect();
    assert_none("a crate in crates/ depends on what is above it", &upward(&files));
}

/// The dependencies of crates in `crates/` on crates elsewhere in the tree.
fn upward(files: &BTreeMap<String, String>) -> Vec<String> {
    let root: Table = files["Cargo.toml"].parse().unwrap();
    let shared = root["workspace"]["dependencies"].as_table().unwrap();
    let mut found = Vec::new();
    for (path, text) in files {
        let Some(folder) = path.strip_suffix("/Cargo.toml").filter(|path| path.starts_with("crates/")) else {
            continue;
        };
        let manifest: Table = text.parse().unwrap();
        for (section, name, dependency) in dependencies(&manifest) {
            let own = dependency.get("path").and_then(toml::Value::as_str);
            let shared =
                shared.get(&name).and_then(|shared| shared.get("path")).and_then(toml::Value::as_str);
            let target = match (own, shared) {
                (Some(own), _) => joined(folder, own),
                (None, Some(shared)) => shared.to_owned(),
                (None, None) => continue,
            };
            let is_for_tests = section == "dev-dependencies" && target == FOR_TESTS;
            if !target.starts_with("crates/") && !is_for_tests {
                found.push(format!("{path}: {name} of {section} is {target}"));
            }
        }
    }
    found
}

/// Section, name and value, those for one platform only included.
fn dependencies(manifest: &Table) -> Vec<(String, String, toml::Value)> {
    let platforms = manifest.get("target").and_then(toml::Value::as_table);
    let platforms = platforms.into_iter().flat_map(Table::values).filter_map(toml::Value::as_table);
    let mut found = Vec::new();
    for table in platforms.chain([manifest]) {
        for section in ["dependencies", "build-dependencies", "dev-dependencies"] {
            let entries = table.get(section).and_then(toml::Value::as_table).into_iter().flatten();
            found.extend(entries.map(|(name, value)| (section.to_owned(), name.clone(), value.clone())));
        }
    }
    found
}

/// `path` as seen from `folder`, without `..`.
fn joined(folder: &str, path: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').collect();
    for part in path.split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." | "" => {}
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[test]
fn an_arrow_upward_is_found_in_each_section() {
    let root = "[workspace.dependencies]\nsink = { path = \"services/sink\" }\nreading = { path = \"crates/reading\" }\n\
                localstack = { path = \"tools/localstack\" }\nserde = \"1\"\n";
    let upward = |manifest: &str| {
        let files = [("Cargo.toml", root), ("crates/energy/Cargo.toml", manifest)];
        super::layers::upward(&files.map(|(path, text)| (path.to_owned(), text.to_owned())).into())
    };
    assert_eq!(
        upward("[dependencies]\nsink.workspace = true"),
        ["crates/energy/Cargo.toml: sink of dependencies is services/sink"]
    );
    assert_eq!(upward("[build-dependencies]\nmine = { path = \"../../loadtest\" }").len(), 1);
    assert_eq!(upward("[dev-dependencies]\nsink.workspace = true").len(), 1);
    assert_eq!(upward("[target.'cfg(unix)'.dependencies]\nlocalstack.workspace = true").len(), 1);
    let fine = "[dependencies]\nreading.workspace = true\nserde.workspace = true\n\
                other = { path = \"../reading\" }\n[dev-dependencies]\nlocalstack.workspace = true";
    assert_eq!(upward(fine), Vec::<String>::new());
}
