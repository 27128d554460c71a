//! The modules of one crate: which file defines what, and which file a path in the code leads to.

use std::collections::{BTreeMap, BTreeSet};

use super::source::{Token, attribute_end, closed, code};

/// A module, inline or in a file of its own.
#[derive(Debug, Default)]
pub(super) struct Module {
    /// The file that it stands in.
    pub(super) file: String,
    parent: Option<usize>,
    children: BTreeMap<String, usize>,
    /// What it defines itself, modules excepted.
    items: BTreeSet<String>,
    /// What it imports, by the name that it has here.
    imports: BTreeMap<String, Vec<String>>,
    globs: Vec<Vec<String>>,
    /// Every path in its code and its imports.
    paths: BTreeSet<Vec<String>>,
}

/// The modules below one `lib.rs`, `main.rs` or other root; the first is the root.
#[derive(Debug, Default)]
pub(super) struct Modules(Vec<Module>);

/// Where a path leads.
enum Place {
    Module(usize),
    /// An item, by the module that defines it.
    Item(usize),
}

const DEFINE: [&str; 10] =
    ["fn", "struct", "enum", "union", "trait", "type", "const", "static", "macro_rules", "auto"];

impl Modules {
    /// Reads the modules below the file `root` out of `files`, by their path.
    pub(super) fn read(root: &str, files: &BTreeMap<String, String>) -> Self {
        let mut modules = Self::default();
        let folder = root.rsplit_once('/').map_or("", |(folder, _)| folder);
        let tokens = files.get(root).map(|text| code(text)).unwrap_or_default();
        modules.add(&tokens, root, folder, None, files);
        modules
    }

    /// `folder`: where the files of its children lie.
    fn add(
        &mut self,
        tokens: &[Token],
        file: &str,
        folder: &str,
        parent: Option<usize>,
        files: &BTreeMap<String, String>,
    ) -> usize {
        let own = self.0.len();
        self.0.push(Module { file: file.to_owned(), parent, ..Module::default() });
        let mut place = 0;
        let (mut told_path, mut depth) = (None, 0_usize);
        while place < tokens.len() {
            if let Some(end) = attribute_end(tokens, place) {
                told_path = told_file(&tokens[place..end]).or(told_path);
                place = end;
                continue;
            }
            place = match (word(tokens, place), word(tokens, place + 1)) {
                (Some("use"), _) => self.import(own, tokens, place + 1),
                (Some("mod"), Some(name)) => {
                    let (name, told_path) = (name.to_owned(), told_path.take());
                    if tokens.get(place + 2) == Some(&Token::Sign('{')) {
                        let end = closed(tokens, place + 2);
                        let inner = &tokens[place + 3..end - 1];
                        let child = self.add(inner, file, &format!("{folder}/{name}"), Some(own), files);
                        self.0[own].children.insert(name, child);
                        end
                    } else {
                        self.add_file(own, &name, file, folder, told_path.as_deref(), files);
                        place + 3
                    }
                }
                _ => {
                    match tokens[place] {
                        Token::Sign('{') => depth += 1,
                        Token::Sign('}') => depth = depth.saturating_sub(1),
                        _ => {}
                    }
                    self.take(own, tokens, place, depth)
                }
            };
        }
        own
    }

    fn add_file(
        &mut self,
        parent: usize,
        name: &str,
        file: &str,
        folder: &str,
        told: Option<&str>,
        files: &BTreeMap<String, String>,
    ) {
        let beside = file.rsplit_once('/').map_or("", |(folder, _)| folder);
        let candidates = match told {
            Some(told) => vec![(format!("{beside}/{told}"), beside.to_owned())],
            None => vec![
                (format!("{folder}/{name}.rs"), format!("{folder}/{name}")),
                (format!("{folder}/{name}/mod.rs"), format!("{folder}/{name}")),
            ],
        };
        for (path, inner) in candidates {
            if let Some(text) = files.get(&path) {
                let child = self.add(&code(text), &path, &inner, Some(parent), files);
                self.0[parent].children.insert(name.to_owned(), child);
            }
        }
    }

    /// Takes a definition or a path at this place in; returns where to go on. In braces stand members, which are no
    /// items, and bodies, whose paths count.
    fn take(&mut self, own: usize, tokens: &[Token], place: usize, depth: usize) -> usize {
        let Some(first) = word(tokens, place) else { return place + 1 };
        if DEFINE.contains(&first) {
            let at = place + 1 + usize::from(tokens.get(place + 1) == Some(&Token::Sign('!')));
            if let Some(name) = word(tokens, at).filter(|name| !DEFINE.contains(name)) {
                if depth == 0 {
                    self.0[own].items.insert(name.to_owned());
                }
                return at + 1;
            }
            return place + 1;
        }
        let mut path = vec![first.to_owned()];
        let mut end = place + 1;
        while let (Some(Token::Sign(':')), Some(Token::Sign(':')), Some(next)) =
            (tokens.get(end), tokens.get(end + 1), word(tokens, end + 2))
        {
            path.push(next.to_owned());
            end += 3;
        }
        let sign = |back: usize| place.checked_sub(back).and_then(|at| tokens.get(at));
        let is_member = sign(1) == Some(&Token::Sign('.'))
            || sign(1) == Some(&Token::Sign(':')) && sign(2) == Some(&Token::Sign(':'));
        // A single name may have come with a glob.
        let is_used = first.starts_with(char::is_uppercase) || tokens.get(end) == Some(&Token::Sign('('));
        if !is_member && (path.len() > 1 || is_used) {
            self.0[own].paths.insert(path);
        }
        end
    }

    /// Takes the tree of a `use` in; returns behind its semicolon.
    fn import(&mut self, own: usize, tokens: &[Token], from: usize) -> usize {
        let length = tokens[from..].iter().position(|token| *token == Token::Sign(';'));
        let end = from + length.unwrap_or(tokens.len() - from);
        let mut leaves = Vec::new();
        flatten(&tokens[from..end], &mut Vec::new(), &mut leaves);
        for (mut path, name) in leaves {
            if path.last().is_some_and(|last| last == "*") {
                path.pop();
                self.0[own].globs.push(path);
                continue;
            }
            self.0[own].paths.insert(path.clone());
            self.0[own].imports.insert(name, path);
        }
        end + 1
    }

    /// What each file takes from which other: file, file, path. A path that leads to a module alone is no tie: what is
    /// taken through it is.
    pub(super) fn ties(&self) -> BTreeMap<(String, String), String> {
        let mut ties = BTreeMap::new();
        for (own, module) in self.0.iter().enumerate() {
            let paths = module.paths.iter().filter_map(|path| match self.find(own, path, 0)? {
                Place::Item(at) => Some((at, path.join("::"))),
                Place::Module(_) => None,
            });
            let globs = module.globs.iter().filter_map(|path| match self.find(own, path, 0)? {
                Place::Item(at) | Place::Module(at) => Some((at, path.join("::") + "::*")),
            });
            for (at, path) in paths.chain(globs.filter(|(at, _)| !self.is_facade(*at))) {
                if self.0[at].file != module.file {
                    ties.entry((module.file.clone(), self.0[at].file.clone())).or_insert(path);
                }
            }
        }
        ties
    }

    /// Each file with the file of the module around it, which has none for the root.
    pub(super) fn parents(&self) -> BTreeMap<String, Option<String>> {
        let mut parents = BTreeMap::new();
        for module in &self.0 {
            let parent = module.parent.map(|parent| self.0[parent].file.clone());
            if parent.as_ref() != Some(&module.file) {
                parents.insert(module.file.clone(), parent);
            }
        }
        parents
    }

    /// A module that defines nothing only hands names on.
    fn is_facade(&self, module: usize) -> bool {
        self.0[module].items.is_empty()
    }

    /// Where `path` leads, as written in `from`. Names of other crates lead nowhere.
    fn find(&self, from: usize, path: &[String], depth: usize) -> Option<Place> {
        let (first, rest) = path.split_first()?;
        let start = match first.as_str() {
            "crate" => Place::Module(0),
            "self" => Place::Module(from),
            "super" => Place::Module(self.0[from].parent?),
            name => self.name(from, name, depth)?,
        };
        rest.iter().try_fold(start, |place, name| match place {
            // The variant of an enum, the function of a type.
            Place::Item(at) => Some(Place::Item(at)),
            Place::Module(at) if name == "super" => Some(Place::Module(self.0[at].parent?)),
            Place::Module(at) if name == "self" => Some(Place::Module(at)),
            Place::Module(at) => self.name(at, name, depth),
        })
    }

    /// What `name` means in a module: its child, its own item, or what it imports under that name.
    fn name(&self, module: usize, name: &str, depth: usize) -> Option<Place> {
        const DEPTH_MAX: usize = 16;
        let here = &self.0[module];
        if let Some(&child) = here.children.get(name) {
            return Some(Place::Module(child));
        }
        if here.items.contains(name) {
            return Some(Place::Item(module));
        }
        if depth > DEPTH_MAX {
            return None;
        }
        if let Some(path) = here.imports.get(name).filter(|path| path[0] != name) {
            return self.find(module, path, depth + 1);
        }
        let mut globs = here.globs.iter().filter(|path| path.first().is_some_and(|first| first != name));
        globs.find_map(|path| match self.find(module, path, depth + 1)? {
            Place::Module(at) if at != module => self.name(at, name, depth + 1),
            Place::Module(_) | Place::Item(_) => None,
        })
    }
}

fn word(tokens: &[Token], place: usize) -> Option<&str> {
    match tokens.get(place)? {
        Token::Word(word) => Some(word),
        Token::Text(_) | Token::Sign(_) => None,
    }
}

/// The file of `#[path = "file"]`.
fn told_file(attribute: &[Token]) -> Option<String> {
    match attribute {
        [_, _, Token::Word(name), Token::Sign('='), Token::Text(file), ..] if name == "path" => {
            Some(file.clone())
        }
        _ => None,
    }
}

/// The leaves of a tree of imports, each with the name that it gets.
fn flatten(tokens: &[Token], prefix: &mut Vec<String>, leaves: &mut Vec<(Vec<String>, String)>) {
    let kept = prefix.len();
    let mut place = 0;
    let mut renamed = None;
    while place < tokens.len() {
        match &tokens[place] {
            Token::Word(word) if word == "as" => {
                if let Some(Token::Word(name)) = tokens.get(place + 1) {
                    renamed = Some(name.clone());
                }
                place += 1;
            }
            Token::Word(word) => prefix.push(word.clone()),
            Token::Sign('*') => prefix.push("*".to_owned()),
            Token::Sign('{') => {
                let end = closed(tokens, place);
                split(&tokens[place + 1..end - 1]).for_each(|part| flatten(part, prefix, leaves));
                prefix.truncate(kept);
                return;
            }
            Token::Sign(_) | Token::Text(_) => {}
        }
        place += 1;
    }
    if prefix.len() > kept {
        let mut path = prefix.clone();
        if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
            path.pop();
        }
        let name = renamed.or_else(|| path.last().cloned()).unwrap_or_default();
        leaves.push((path, name));
    }
    prefix.truncate(kept);
}

/// The parts between the commas that stand in no brackets of their own.
fn split(tokens: &[Token]) -> impl Iterator<Item = &[Token]> {
    let mut depth = 0_i32;
    tokens.split(move |token| {
        match token {
            Token::Sign('{') => depth += 1,
            Token::Sign('}') => depth -= 1,
            _ => {}
        }
        depth == 0 && *token == Token::Sign(',')
    })
}
