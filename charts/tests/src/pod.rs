//! What a rendered chart hands to a container, as the kubelet would: its arguments, its environment, and the files of its
//! ConfigMaps and Secrets. Only a container's file system is missing, so files lie below a folder, and every path that
//! begins with a mount is moved there: in the arguments, in the environment and in the files themselves.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use crate::object::{each, kind, name, strings, template};

/// The first container of a workload's pods.
#[derive(Clone, Debug)]
pub struct Container<'a> {
    pod: String,
    container: &'a Value,
    volumes: &'a Value,
    objects: &'a [Value],
}

/// A container's files on this machine.
#[derive(Clone, Debug)]
pub struct Placed {
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Its environment.
    pub environment: Vec<(String, String)>,
    mounts: Vec<String>,
    root: PathBuf,
}

// === impl Container ===

impl<'a> Container<'a> {
    /// The container of the workload or Pod with that name among rendered objects, in the pod of that number.
    ///
    /// # Errors
    /// Where there is none.
    pub fn of(objects: &'a [Value], workload: &str, ordinal: u16) -> Result<Self> {
        let mut templates = objects.iter().filter(|object| name(object) == workload).filter_map(template);
        let spec = &templates.next().with_context(|| format!("no workload {workload} is rendered"))?["spec"];
        let container = each(&spec["containers"]).next();
        let container = container.with_context(|| format!("{workload} has no container"))?;
        Ok(Self { pod: format!("{workload}-{ordinal}"), container, volumes: &spec["volumes"], objects })
    }

    /// Writes its files below `root`. `secret` says what is in a Secret's key, which no chart renders in prod.
    ///
    /// # Errors
    /// Where it names a volume, a ConfigMap or a key that isn't there.
    pub fn place(&self, root: &Path, secret: &dyn Fn(&str) -> Result<String>) -> Result<Placed> {
        let files = self.files(secret)?;
        let mounts = self.mounts().map(|(path, _)| path.to_owned()).collect();
        let mut placed =
            Placed { arguments: Vec::new(), environment: Vec::new(), mounts, root: root.to_owned() };
        for (path, text) in files {
            let target = placed.path(&path);
            fs::create_dir_all(target.parent().unwrap_or(root))?;
            fs::write(&target, placed.moved(&text))
                .with_context(|| format!("writing {}", target.display()))?;
        }
        let arguments = each(&self.container["args"]).filter_map(Value::as_str);
        placed.arguments = arguments.map(|argument| placed.moved(argument)).collect();
        for (name, value) in self.environment(secret)? {
            let value = placed.moved(&value);
            placed.environment.push((name, value));
        }
        Ok(placed)
    }

    /// Mount paths and the volumes that are there, other than the empty ones, whose paths stay as they are.
    fn mounts(&self) -> impl Iterator<Item = (&'a str, &'a Value)> {
        each(&self.container["volumeMounts"]).filter_map(|mount| {
            let volume = each(self.volumes).find(|volume| volume["name"] == mount["name"])?;
            let path = mount["mountPath"].as_str()?;
            volume["emptyDir"].is_null().then_some((path, volume))
        })
    }

    /// The files of all its ConfigMaps and Secrets, by their paths in the container.
    fn files(&self, secret: &dyn Fn(&str) -> Result<String>) -> Result<BTreeMap<String, String>> {
        for mount in each(&self.container["volumeMounts"]) {
            let known = each(self.volumes).any(|volume| volume["name"] == mount["name"]);
            ensure!(known, "{}: {} is mounted and no volume", self.pod, mount["name"]);
            ensure!(mount["subPath"].is_null(), "{}: a subPath is not understood here", self.pod);
        }
        let mut files = BTreeMap::new();
        for (mount, volume) in self.mounts() {
            for (file, text) in self.volume(volume, secret)? {
                files.insert(format!("{mount}/{file}"), text);
            }
        }
        Ok(files)
    }

    fn volume(
        &self,
        volume: &Value,
        secret: &dyn Fn(&str) -> Result<String>,
    ) -> Result<BTreeMap<String, String>> {
        if let Some(wanted) = volume["configMap"]["name"].as_str() {
            let data = strings(&self.find("ConfigMap", wanted).context("a volume")?["data"]);
            return chosen(&data.keys().cloned().collect::<Vec<_>>(), &volume["configMap"]["items"])?
                .into_iter()
                .map(|(key, path)| Ok((path, data[&key].clone())))
                .collect();
        }
        if let Some(wanted) = volume["secret"]["secretName"].as_str() {
            let keys: Vec<String> = match self.find("Secret", wanted) {
                Ok(rendered) => {
                    let literal = strings(&rendered["stringData"]);
                    strings(&rendered["data"]).into_keys().chain(literal.into_keys()).collect()
                }
                // It exists before the release; what the volume wants of it must be in it.
                Err(_) => each(&volume["secret"]["items"])
                    .filter_map(|item| item["key"].as_str().map(str::to_owned))
                    .collect(),
            };
            return chosen(&keys, &volume["secret"]["items"])?
                .into_iter()
                .map(|(key, path)| Ok((path, secret(&key)?)))
                .collect();
        }
        bail!("{}: the volume {} is of a kind that is not understood here", self.pod, volume["name"])
    }

    fn environment(&self, secret: &dyn Fn(&str) -> Result<String>) -> Result<Vec<(String, String)>> {
        let mut environment: Vec<(String, String)> = Vec::new();
        for variable in each(&self.container["env"]) {
            let name = variable["name"].as_str().unwrap_or_default();
            let from = &variable["valueFrom"];
            let value = if from["fieldRef"]["fieldPath"] == "metadata.name" {
                self.pod.clone()
            } else if let Some(key) = from["secretKeyRef"]["key"].as_str() {
                secret(key)?
            } else if from.is_null() {
                // `$(NAME)` stands for a variable before it.
                let text = variable["value"].as_str().unwrap_or_default().to_owned();
                environment
                    .iter()
                    .fold(text, |text, (name, value)| text.replace(&format!("$({name})"), value))
            } else {
                bail!("{}: {name} comes from {from}, which is not understood here", self.pod)
            };
            environment.push((name.to_owned(), value));
        }
        Ok(environment)
    }

    fn find(&self, wanted: &str, of: &str) -> Result<&'a Value> {
        let found = self.objects.iter().find(|object| kind(object) == wanted && name(object) == of);
        found.with_context(|| format!("{} names {wanted} {of}, which is not rendered", self.pod))
    }
}

/// Keys and the file names they get: those that `items` lists, or all.
fn chosen(keys: &[String], items: &Value) -> Result<Vec<(String, String)>> {
    let Some(items) = items.as_array() else {
        return Ok(keys.iter().map(|key| (key.clone(), key.clone())).collect());
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    items
        .iter()
        .map(|item| {
            let key = text(&item["key"]);
            ensure!(keys.contains(&key), "the key {key} is wanted, there are {keys:?}");
            Ok((key, text(&item["path"])))
        })
        .collect()
}

// === impl Placed ===

impl Placed {
    /// Where a file of the container lies on this machine.
    #[must_use]
    pub fn path(&self, in_container: &str) -> PathBuf {
        self.root.join(in_container.trim_start_matches('/'))
    }

    /// The file that `--config` names.
    ///
    /// # Errors
    /// Where none does.
    pub fn configuration(&self) -> Result<PathBuf> {
        let mut arguments = self.arguments.iter();
        arguments.find(|argument| *argument == "--config").context("the arguments have no --config")?;
        Ok(PathBuf::from(arguments.next().context("--config is the last argument")?))
    }

    /// Gives an argument, written as `--name value`, another value.
    ///
    /// # Errors
    /// Where the chart doesn't set it.
    pub fn replace_argument(&mut self, name: &str, value: &str) -> Result<()> {
        let place = self.arguments.iter().position(|argument| argument == name);
        let place = place.with_context(|| format!("the chart does not set {name}"))? + 1;
        *self.arguments.get_mut(place).with_context(|| format!("{name} has no value"))? = value.to_owned();
        Ok(())
    }

    /// A text in which every path below a mount is moved to where it lies here.
    fn moved(&self, text: &str) -> String {
        let mut moved = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(letter) = rest.chars().next() {
            // The longest: one mount may lie below another one.
            let mount =
                self.mounts.iter().filter(|mount| rest.starts_with(*mount)).max_by_key(|mount| mount.len());
            let length = mount.map_or(letter.len_utf8(), String::len);
            if mount.is_some() {
                moved.push_str(&self.root.display().to_string());
            }
            moved.push_str(&rest[..length]);
            rest = &rest[length..];
        }
        moved
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn objects() -> Vec<Value> {
        let container = json!({
            "args": ["--config", "/etc/w/config/a.toml"],
            "env": [
                {"name": "OWN", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
                {"name": "URL", "value": "http://$(OWN)/etc"},
                {"name": "FILE", "value": "/etc/w/secret/p"},
            ],
            "volumeMounts": [
                {"name": "config", "mountPath": "/etc/w/config"},
                {"name": "secret", "mountPath": "/etc/w/secret"},
                {"name": "tmp", "mountPath": "/tmp"},
            ],
        });
        let volumes = json!([
            {"name": "config", "configMap": {"name": "a"}},
            {"name": "secret", "secret": {"secretName": "s", "items": [{"key": "password", "path": "p"}]}},
            {"name": "tmp", "emptyDir": {}},
        ]);
        let spec = json!({"containers": [container], "volumes": volumes});
        vec![
            json!({"kind": "ConfigMap", "metadata": {"name": "a"},
                "data": {"a.toml": "file = \"/etc/w/secret/p\"\ntmp = \"/tmp/x\""}}),
            json!({"kind": "StatefulSet", "metadata": {"name": "a"}, "spec": {"template": {"spec": spec}}}),
        ]
    }

    #[test]
    fn a_container_finds_its_files_where_they_were_moved_to() {
        let root = tempfile::tempdir().unwrap();
        let objects = objects();
        let container = Container::of(&objects, "a", 1).unwrap();
        let placed = container.place(root.path(), &|key| Ok(format!("the {key}"))).unwrap();
        let at = |path: &str| root.path().join(path).display().to_string();
        assert_eq!(placed.arguments, ["--config", &at("etc/w/config/a.toml")]);
        let text = fs::read_to_string(placed.configuration().unwrap()).unwrap();
        assert_eq!(text, format!("file = \"{}\"\ntmp = \"/tmp/x\"", at("etc/w/secret/p")));
        assert_eq!(fs::read_to_string(at("etc/w/secret/p")).unwrap(), "the password");
        let expected = [("OWN", "a-1"), ("URL", "http://a-1/etc"), ("FILE", &at("etc/w/secret/p"))];
        assert_eq!(placed.environment, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn what_is_named_must_be_there() {
        let refusal = |objects: &[Value]| {
            let container = Container::of(objects, "a", 0).unwrap();
            let root = tempfile::tempdir().unwrap();
            format!("{:#}", container.place(root.path(), &|_| Ok(String::new())).unwrap_err())
        };
        let without = &objects()[1..];
        assert!(refusal(without).contains("ConfigMap a, which is not rendered"), "{}", refusal(without));
        let mut other = objects();
        other.push(json!({"kind": "Secret", "metadata": {"name": "s"}, "data": {"passwort": "eA=="}}));
        assert!(refusal(&other).contains("the key password is wanted"), "{}", refusal(&other));
        other[1]["spec"]["template"]["spec"]["volumes"] = json!([]);
        assert!(refusal(&other).contains("is mounted and no volume"), "{}", refusal(&other));
    }
}
