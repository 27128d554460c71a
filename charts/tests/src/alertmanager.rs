//! Alertmanager's own configuration for one namespace, made of an AlertmanagerConfig as the Prometheus operator makes it:
//! names in its spelling, secrets in place of their references, and only alerts of that namespace.

use anyhow::{Result, bail};
use serde_json::{Map, Value, json};

use crate::object::each;

/// What stands in a Secret, by name and key.
pub type Secrets<'a> = &'a dyn Fn(&str, &str) -> String;

/// The configuration, as JSON, which is YAML too.
///
/// # Errors
/// Where it has something that this doesn't know how to say.
pub fn native(config: &Value, namespace: &str, secrets: Secrets<'_>) -> Result<Value> {
    let spec = &config["spec"];
    let own = format!("namespace=\"{namespace}\"");
    let mut route = route(&spec["route"])?;
    route["matchers"] = json!([own]);
    route["continue"] = json!(true);
    let mut receivers = vec![json!({"name": "nobody"})];
    for receiver in each(&spec["receivers"]) {
        receivers.push(translated(receiver, secrets)?);
    }
    let mut inhibitions = Vec::new();
    for rule in each(&spec["inhibitRules"]) {
        let side = |name: &str| -> Result<Vec<String>> {
            let mut matchers = matchers(&rule[name])?;
            matchers.push(own.clone());
            Ok(matchers)
        };
        inhibitions.push(json!({
            "source_matchers": side("sourceMatch")?, "target_matchers": side("targetMatch")?, "equal": rule["equal"],
        }));
    }
    Ok(json!({
        "route": {"receiver": "nobody", "routes": [route]}, "receivers": receivers, "inhibit_rules": inhibitions,
    }))
}

/// Groups of alerts of `route` and of those below it are told after `soon`, however long they would be collected.
pub fn hasten(route: &mut Value, soon: &str) {
    for wait in ["group_wait", "group_interval"] {
        route[wait] = json!(soon);
    }
    for inner in route["routes"].as_array_mut().into_iter().flatten() {
        hasten(inner, soon);
    }
}

fn route(from: &Value) -> Result<Value> {
    let mut to = Map::new();
    for (key, value) in from.as_object().into_iter().flatten() {
        let value = match key.as_str() {
            "routes" => Value::Array(each(value).map(route).collect::<Result<_>>()?),
            "matchers" => json!(matchers(value)?),
            "receiver" | "groupBy" | "groupWait" | "groupInterval" | "repeatInterval" => value.clone(),
            _ => bail!("a route with {key}"),
        };
        to.insert(snake(key), value);
    }
    Ok(to.into())
}

fn matchers(from: &Value) -> Result<Vec<String>> {
    let text = |matcher: &Value| match (&matcher["name"], &matcher["matchType"], &matcher["value"]) {
        (Value::String(name), Value::String(sign), Value::String(value)) => {
            Ok(format!("{name}{sign}{value:?}"))
        }
        _ => bail!("a matcher {matcher}"),
    };
    each(from).map(text).collect()
}

/// An object in Alertmanager's spelling, secrets put in.
fn translated(from: &Value, secrets: Secrets<'_>) -> Result<Value> {
    let Value::Object(from) = from else { return Ok(from.clone()) };
    let mut to = Map::new();
    for (key, value) in from {
        let value = match (value, &value["name"], &value["key"]) {
            (Value::Object(_), Value::String(name), Value::String(secret)) => json!(secrets(name, secret)),
            (Value::Array(_), ..) => {
                Value::Array(each(value).map(|inner| translated(inner, secrets)).collect::<Result<_>>()?)
            }
            _ => translated(value, secrets)?,
        };
        to.insert(snake(key.strip_suffix("Secret").unwrap_or(key)), value);
    }
    Ok(to.into())
}

/// `requireTLS` is `require_tls`.
fn snake(name: &str) -> String {
    let mut text = String::new();
    let mut before_is_small = false;
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && before_is_small {
            text.push('_');
        }
        before_is_small = letter.is_ascii_lowercase();
        text.push(letter.to_ascii_lowercase());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_for_one_namespace_and_has_its_secrets() {
        let config = json!({"spec": {
            "route": {"receiver": "a", "groupBy": ["x"], "routes": [
                {"receiver": "a", "matchers": [{"name": "severity", "matchType": "=", "value": "critical"}]}]},
            "receivers": [{"name": "a", "webhookConfigs": [{"sendResolved": true, "urlSecret": {"name": "s", "key": "k"}}],
                "emailConfigs": [{"requireTLS": true, "authPassword": {"name": "m", "key": "p"}}]}],
        }});
        let mut native = native(&config, "prod", &|name, key| format!("{name}/{key}")).unwrap();
        hasten(&mut native["route"], "1s");
        let route = &native["route"]["routes"][0];
        assert_eq!(route["matchers"], json!(["namespace=\"prod\""]));
        assert_eq!(route["routes"][0]["matchers"], json!(["severity=\"critical\""]));
        assert_eq!(route["routes"][0]["group_interval"], "1s");
        let receiver = &native["receivers"][1];
        assert_eq!(receiver["webhook_configs"], json!([{"send_resolved": true, "url": "s/k"}]));
        assert_eq!(receiver["email_configs"], json!([{"require_tls": true, "auth_password": "m/p"}]));
    }

    #[test]
    fn what_it_does_not_know_is_an_error() {
        let config = json!({"spec": {"route": {"receiver": "a", "muteTimeIntervals": ["night"]}}});
        let error = native(&config, "prod", &|_, _| String::new()).unwrap_err().to_string();
        assert!(error.contains("muteTimeIntervals"), "{error}");
    }
}
