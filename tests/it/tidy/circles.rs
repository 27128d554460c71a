//! No module circle: files of a crate that import each other in a loop.
//!
//! Counted is a tie from the file where a path is written to the file that *defines* what it leads to, through any
//! number of re-exports: a parent that only hands the names of its children on is no party. What only tests compile does
//! not count, nor what a macro makes, nor a method's call.
//!
//! A parent and the modules below it may know each other: a type in the parent whose parts are in children is one room
//! with alcoves. So a loop within one parent and its children is looked at again without the ties to that parent: the
//! children must form none among themselves. A loop that reaches out of the parent counts.

use std::collections::{BTreeMap, BTreeSet};

use super::modules::Modules;
use super::{assert_none, files};

type Ties = BTreeMap<(String, String), String>;

#[test]
fn modules_form_no_circle() {
    let files: BTreeMap<String, String> = files().into_iter().collect();
    let crates = files.keys().filter_map(|path| path.strip_suffix("Cargo.toml"));
    let mut found = Vec::new();
    for folder in crates {
        for root in roots(folder, &files) {
            found.extend(circles(&root, &files));
        }
    }
    assert_none("modules that import each other in a circle", &found);
}

/// The files of a crate that a compiler begins with, its tests left out.
fn roots(folder: &str, files: &BTreeMap<String, String>) -> Vec<String> {
    let src = format!("{folder}src/");
    let in_src = files.keys().filter_map(|path| Some((path, path.strip_prefix(&src)?)));
    in_src
        .filter(|(_, rest)| {
            let in_bin = rest.strip_prefix("bin/").is_some_and(|rest| {
                !rest.contains('/') || rest.ends_with("/main.rs") && rest.matches('/').count() == 1
            });
            *rest == "lib.rs" || *rest == "main.rs" || in_bin
        })
        .map(|(path, _)| path.clone())
        .collect()
}

/// Each circle below a root, with what ties it.
fn circles(root: &str, files: &BTreeMap<String, String>) -> Vec<String> {
    let modules = Modules::read(root, files);
    let (ties, parents) = (modules.ties(), modules.parents());
    let mut found = Vec::new();
    let mut open = loops(&ties);
    while let Some(group) = open.pop() {
        let within = |(from, to): &(String, String)| group.contains(from) && group.contains(to);
        let mut own: Ties = ties
            .iter()
            .filter(|(ends, _)| within(ends))
            .map(|(ends, path)| (ends.clone(), path.clone()))
            .collect();
        match group.iter().find(|top| group.iter().all(|file| is_below(file, top, &parents))) {
            Some(top) => {
                own.retain(|(_, to), _| to != top);
                open.extend(loops(&own));
            }
            None => {
                let ties =
                    own.iter().map(|((from, to), path)| format!("\n    {from} takes {path} from {to}"));
                found.push(format!("{} files:{}", group.len(), ties.collect::<String>()));
            }
        }
    }
    found
}

fn is_below(file: &str, top: &str, parents: &BTreeMap<String, Option<String>>) -> bool {
    let mut at = Some(file.to_owned());
    while let Some(file) = at {
        if file == top {
            return true;
        }
        at = parents.get(&file).cloned().flatten();
    }
    false
}

/// The sets of files of which each reaches each other.
fn loops(ties: &Ties) -> Vec<BTreeSet<String>> {
    let mut reached: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (from, _) in ties.keys() {
        let seen = reached.entry(from).or_default();
        let mut open = vec![from.as_str()];
        while let Some(file) = open.pop() {
            for (_, to) in ties.keys().filter(|(other, _)| other == file) {
                if seen.insert(to) {
                    open.push(to);
                }
            }
        }
    }
    let groups: BTreeSet<BTreeSet<String>> = reached
        .iter()
        .filter(|(file, seen)| seen.contains(*file))
        .map(|(file, seen)| {
            let mutual =
                seen.iter().filter(|other| reached.get(*other).is_some_and(|back| back.contains(file)));
            mutual.map(|other| (*other).to_owned()).collect()
        })
        .collect();
    groups.into_iter().collect()
}

fn found_in(files: &[(&str, &str)]) -> Vec<String> {
    let files: BTreeMap<String, String> =
        files.iter().map(|(path, text)| (format!("c/src/{path}"), (*text).to_owned())).collect();
    circles("c/src/lib.rs", &files)
}

#[test]
fn two_files_that_take_from_each_other_are_found() {
    let found = found_in(&[
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "use crate::b::Two; pub struct One;"),
        ("b.rs", "pub struct Two; fn f() -> super::a::One { super::a::One }"),
    ]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("c/src/a.rs takes crate::b::Two from c/src/b.rs"), "{found:?}");
    assert!(found[0].contains("c/src/b.rs takes super::a::One from c/src/a.rs"), "{found:?}");
}

#[test]
fn a_circle_is_found_through_re_exports_globs_and_imported_modules() {
    let facade = [
        ("lib.rs", "pub mod house; mod c;"),
        ("house.rs", "mod a; mod b; pub use a::One; pub use self::b::*;"),
        ("house/a.rs", "use super::Two as Other; pub struct One;"),
        ("house/b.rs", "use crate::house; pub struct Two; fn f(one: house::One) {}"),
        ("c.rs", "use crate::house::{One, Two};"),
    ];
    let found = found_in(&facade);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("2 files:"), "{found:?}");
    let prelude = [
        ("lib.rs", "mod a; mod b; mod prelude { pub use crate::a::One; }"),
        ("a.rs", "pub struct One; fn f() { crate::b::g() }"),
        ("b.rs", "use crate::prelude::*; pub fn g() { One::default(); }"),
    ];
    assert_eq!(found_in(&prelude).len(), 1);
}

#[test]
fn a_parent_and_its_children_may_know_each_other_but_not_in_a_loop_through_others() {
    let room = [
        ("lib.rs", "mod a; mod outside;"),
        ("a.rs", "mod b; mod c; pub struct One; fn f() { b::g(); c::h(); }"),
        ("a/b.rs", "use super::One; pub fn g() {}"),
        ("a/c.rs", "use super::One; pub fn h() {}"),
        ("outside.rs", "use crate::a::One;"),
    ];
    assert_eq!(found_in(&room), Vec::<String>::new());
    let mut siblings = room;
    siblings[2].1 = "use super::One; pub fn g() { super::c::h() }";
    siblings[3].1 = "use super::One; pub fn h() { super::b::g() }";
    assert_eq!(found_in(&siblings).len(), 1);
    let mut through = room;
    through[4].1 = "pub struct Two; fn i() { crate::a::b::g() }";
    through[1].1 = "pub mod b; use crate::outside::Two; pub struct One;";
    assert_eq!(found_in(&through).len(), 1);
}

#[test]
fn what_only_tests_compile_and_other_crates_of_the_same_name_do_not_count() {
    let found = found_in(&[
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "use crate::b::Two; pub struct One;"),
        (
            "b.rs",
            "use other::a::One; pub struct Two; #[cfg(test)] mod tests { use crate::a::One; } // crate::a::One",
        ),
    ]);
    assert_eq!(found, Vec::<String>::new());
}
