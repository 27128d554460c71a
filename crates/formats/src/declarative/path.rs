//! Where something stands in a payload.

use anyhow::{Context, ensure};

use crate::json::Json;

/// A way down a JSON value, from an array's item or from what is around it.
#[derive(Clone, Debug)]
pub(super) struct Path {
    up: usize,
    steps: Vec<Step>,
}

#[derive(Clone, Debug)]
enum Step {
    Key(String),
    Index(usize),
}

// === impl Path ===

impl Path {
    /// `a.b[0].c`; a key with a dot in it is written `["a.b"]`. Below so many `arrays`.
    pub(super) fn parse(text: &str, arrays: usize) -> anyhow::Result<Self> {
        let mut steps = Vec::new();
        let inner = text.trim_start_matches('^');
        let up = text.len() - inner.len();
        ensure!(up <= arrays, "the path {text:?} has more ^ than there is each around it: {arrays}");
        let mut rest = inner.trim_start_matches('$').trim_start_matches('.');
        while !rest.is_empty() {
            if let Some(inner) = rest.strip_prefix("[\"") {
                let (key, behind) =
                    inner.split_once("\"]").with_context(|| format!("the path {text:?} has no \"]"))?;
                steps.push(Step::Key(key.to_owned()));
                rest = behind;
            } else if let Some(inner) = rest.strip_prefix('[') {
                let (index, behind) =
                    inner.split_once(']').with_context(|| format!("the path {text:?} has no ]"))?;
                let index =
                    index.parse().with_context(|| format!("the path {text:?}: {index:?} is no index"))?;
                steps.push(Step::Index(index));
                rest = behind;
            } else {
                let end = rest.find(['.', '[']).unwrap_or(rest.len());
                ensure!(end > 0, "the path {text:?} has an empty step");
                steps.push(Step::Key(rest[..end].to_owned()));
                rest = &rest[end..];
            }
            if let Some(behind) = rest.strip_prefix('.') {
                ensure!(!behind.is_empty(), "the path {text:?} ends with a dot");
                rest = behind;
            }
        }
        Ok(Self { up, steps })
    }

    /// What is there, from the last of `around`, or from one before it; `null` is there.
    pub(super) fn find_any<'j>(&self, around: &[&'j Json<'j>]) -> Option<&'j Json<'j>> {
        let mut at = *around.get(around.len().checked_sub(1 + self.up)?)?;
        for step in &self.steps {
            at = match step {
                // Of equal keys the last counts.
                Step::Key(key) => &at.fields().iter().rfind(|(name, _)| name == key)?.1,
                Step::Index(index) => at.items().get(*index)?,
            };
        }
        Some(at)
    }

    /// The same without `null`.
    pub(super) fn find<'j>(&self, around: &[&'j Json<'j>]) -> Option<&'j Json<'j>> {
        self.find_any(around).filter(|found| **found != Json::Null)
    }
}

/// A list without any names: numbers with commas, as emonHub publishes a node's. (A number alone has no comma in JSON.)
pub(super) fn list(text: &str) -> Option<Json<'_>> {
    if !text.contains(',') || text.starts_with(['{', '[', '"']) {
        return None;
    }
    let items = text.split(',').map(str::trim);
    let is_item = |item: &str| item.is_empty() || crate::number::number(item).is_some();
    items.clone().all(is_item).then(|| Json::Array(items.map(|item| Json::Text(item.into())).collect()))
}
