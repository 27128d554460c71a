//! Kubernetes objects as JSON: the few questions that the tests ask of them.

use std::collections::BTreeMap;

use serde_json::Value;

/// `metadata.name`.
#[must_use]
pub fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap_or_default()
}

/// `kind`.
#[must_use]
pub fn kind(object: &Value) -> &str {
    object["kind"].as_str().unwrap_or_default()
}

/// `Kind/name`, as messages have it.
#[must_use]
pub fn title(object: &Value) -> String {
    format!("{}/{}", kind(object), name(object))
}

/// A list's elements; none where there is no list.
pub fn each(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// A map of strings, such as labels.
#[must_use]
pub fn strings(value: &Value) -> BTreeMap<String, String> {
    let pairs = value.as_object().into_iter().flatten();
    pairs.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

/// The labels of an object, or of a pod template.
#[must_use]
pub fn labels(object: &Value) -> BTreeMap<String, String> {
    strings(&object["metadata"]["labels"])
}

/// The pod template that a workload makes its pods from; a Pod is its own.
#[must_use]
pub fn template(object: &Value) -> Option<&Value> {
    match kind(object) {
        "Pod" => Some(object),
        "CronJob" => Some(&object["spec"]["jobTemplate"]["spec"]["template"]),
        "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "Job" => {
            Some(&object["spec"]["template"])
        }
        _ => None,
    }
}

/// Whether a label selector (`matchLabels`, `matchExpressions`) takes these labels. An empty one takes all.
#[must_use]
pub fn selects(selector: &Value, labels: &BTreeMap<String, String>) -> bool {
    let equal = strings(&selector["matchLabels"]).iter().all(|(key, value)| labels.get(key) == Some(value));
    equal && each(&selector["matchExpressions"]).all(|expression| satisfies(expression, labels))
}

fn satisfies(expression: &Value, labels: &BTreeMap<String, String>) -> bool {
    let value = expression["key"].as_str().and_then(|key| labels.get(key));
    let listed = || each(&expression["values"]).any(|one| one.as_str() == value.map(String::as_str));
    match expression["operator"].as_str() {
        Some("In") => value.is_some() && listed(),
        Some("NotIn") => value.is_none() || !listed(),
        Some("Exists") => value.is_some(),
        Some("DoesNotExist") => value.is_none(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn selectors_select() {
        let labels = strings(&json!({"app": "kafka", "tier": "data"}));
        let takes = |selector: Value| selects(&selector, &labels);
        assert!(takes(json!({})) && takes(json!({"matchLabels": {"app": "kafka"}})));
        assert!(!takes(json!({"matchLabels": {"app": "kafka", "other": "x"}})));
        let by = |operator: &str, key: &str| {
            takes(
                json!({"matchExpressions": [{"key": key, "operator": operator, "values": ["data", "edge"]}]}),
            )
        };
        assert!(by("In", "tier") && !by("In", "app") && !by("In", "absent"));
        assert!(!by("NotIn", "tier") && by("NotIn", "absent"));
        assert!(by("Exists", "tier") && by("DoesNotExist", "absent") && !by("Equals", "tier"));
    }
}
