//! Deliberate mistakes that only an API server finds. Each must be refused in words that name it, and must leave what
//! runs as it was.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use wattline_localstack::poll_until;

use crate::audit::{self, Demands};
use crate::charts::{Environment, RELEASE};
use crate::cluster::NODES;
use crate::manifest;
use crate::object::{kind, name};
use crate::report::Report;

use super::World;
use super::change::OTHER_SETTING;
use super::release::{Release, Snapshot};

/// Long enough for the hooks before, and waited for to the end.
const FAILS_AFTER: &str = "45s";
const TIGHT: &str = "tight";
/// A value, and the words of its refusal.
const TYPING_ERROR: (&str, &[&str]) = ("timescale-sink.replcas=2", &["timescale-sink", "replcas"]);
const BOTH_AUTOSCALERS: (&str, &[&str]) = (
    "timescale-sink.autoscaling.hpa.enabled=true",
    &["timescale-sink: autoscaling.hpa and autoscaling.keda are both enabled"],
);

/// What people who install do wrong.
pub(super) async fn of_operators(world: &World, report: &mut Report) -> Result<()> {
    report.step("upgrade staging with a typing error in a value", in_values(world, TYPING_ERROR)).await?;
    report.step("upgrade staging with both autoscalers", in_values(world, BOTH_AUTOSCALERS)).await?;
    report.step("a Secret of staging that nobody made", missing_secret(world)).await?;
    report.step("upgrade staging to more CPU than there is", too_large(world)).await?;
    report.step("upgrade staging with a migration that fails", failing_migration(world)).await?;
    report.step("install into a namespace with a small quota", quota(world)).await?;
    report.step("upgrade prod to other volumes", immutable(world)).await
}

/// What people who change the charts do wrong.
pub(super) async fn of_charts(world: &World, report: &mut Report) -> Result<()> {
    report.step("a Service that selects nothing", blind_service(world)).await?;
    report.step("a privileged container", privileged(world)).await?;
    report.step("a misspelt field", misspelt(world)).await?;
    report.step("a Gateway with a doubled listener", doubled_listener(world)).await
}

/// The chart refuses before the API server is asked: there is not even a failed revision.
async fn in_values(world: &World, (value, words): (&str, &[&str])) -> Result<String> {
    let staging = Release::of(world, Environment::Staging);
    let before = staging.status().await?;
    staging.try_upgrade("300s", &["--set", value]).await?.refusal(words)?;
    let after = staging.status().await?;
    ensure!(before == after, "there is a new revision: {after:?}");
    Ok(format!("{value}: \"{}\"", words[words.len() - 1]))
}

/// No container is started here, so it is the audit that must miss it, as it would after an installation.
async fn missing_secret(world: &World) -> Result<String> {
    let staging = Release::of(world, Environment::Staging);
    let before = staging.snapshot().await?;
    let secret = "wattline-api-token";
    let text = staging.kubectl(&["get", "secret", secret, "-o", "json"]).await?.ok()?;
    staging.kubectl(&["delete", "secret", secret]).await?.ok()?;
    let found = audit::findings(&world.cluster, "staging", Demands::all(NODES.len())).await?;
    let word = format!("needs Secret {secret}, which does not exist");
    let finding = found.iter().find(|finding| finding.contains(&word));
    let finding = finding.with_context(|| format!("not found: {found:?}"))?;
    let mut made: Value = serde_json::from_str(&text)?;
    made["metadata"] = json!({"name": secret, "namespace": "staging"});
    world.cluster.apply(&[made]).await?;
    unchanged(world, &staging, &before).await?;
    Ok(format!("the audit: \"{finding}\""))
}

async fn too_large(world: &World) -> Result<String> {
    let staging = Release::of(world, Environment::Staging);
    let before = staging.snapshot().await?;
    let set = ["--set", "query-api.resources.requests.cpu=1900m", "--rollback-on-failure"];
    let answer = staging.try_upgrade(FAILS_AFTER, &set).await?;
    ensure!(!answer.success, "was not refused: {answer}");
    let warnings = staging.warnings().await?;
    ensure!(warnings.contains("Insufficient cpu"), "no event names the cause: {warnings}");
    unchanged(world, &staging, &before).await?;
    Ok("event \"Insufficient cpu\", rolled back, every pod ran on".to_owned())
}

async fn failing_migration(world: &World) -> Result<String> {
    let staging = Release::of(world, Environment::Staging);
    let before = staging.snapshot().await?;
    let (revision, _) = staging.status().await?;
    // A change that would be seen, had anything been touched.
    let sets = ["--set", "wattlinectl.image.tag=fails", "--set", OTHER_SETTING];
    let answer = staging.try_upgrade("300s", &sets).await?;
    answer.refusal(&["migrat"])?;
    let (failed, state) = staging.status().await?;
    ensure!(failed == revision + 1 && state == "failed", "revision {failed} is {state}");
    let after = staging.snapshot().await?;
    ensure!(before.pods == after.pods, "pods were replaced: {:?}", before.replaced(&after));
    ensure!(before.generations == after.generations, "was written: {:?}", before.differences(&after));
    ensure!(before.objects == after.objects, "was changed: {:?}", before.differences(&after));
    let back = revision.to_string();
    staging.helm(&["rollback", RELEASE, &back, "--wait", "--timeout", "300s"]).await?;
    unchanged(world, &staging, &before).await?;
    Ok("the hook failed it, nothing else was touched; every pod ran on".to_owned())
}

async fn quota(world: &World) -> Result<String> {
    let quota = json!({
        "apiVersion": "v1", "kind": "ResourceQuota",
        "metadata": {"name": "small", "namespace": TIGHT},
        "spec": {"hard": {"requests.cpu": "150m"}},
    });
    let labels = json!({"pod-security.kubernetes.io/enforce": "restricted"});
    let namespace =
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": TIGHT, "labels": labels}});
    world.cluster.apply(&[namespace, quota]).await?;
    let release = Release { world, environment: Environment::Dev, namespace: TIGHT };
    let answer = release.try_upgrade(FAILS_AFTER, &[]).await?;
    ensure!(!answer.success, "was not refused: {answer}");
    let said = format!("{answer}\n{}", release.warnings().await?);
    for word in ["exceeded quota: small", "requests.cpu"] {
        ensure!(said.contains(word), "nothing says {word:?}: {said}");
    }
    world.cluster.kubectl.run(&["delete", "namespace", TIGHT, "--wait=true", "--timeout=120s"]).await?;
    Ok("\"exceeded quota: small\"".to_owned())
}

async fn immutable(world: &World) -> Result<String> {
    let prod = Release::of(world, Environment::Prod);
    let before = prod.snapshot().await?;
    let (revision, _) = prod.status().await?;
    let answer = prod.try_upgrade("300s", &["--set", "kafka.storage.size=77Gi"]).await?;
    answer.refusal(&["wattline-kafka", "Forbidden", "updates to statefulset spec"])?;
    let back = revision.to_string();
    prod.helm(&["rollback", RELEASE, &back, "--wait", "--timeout", "300s"]).await?;
    unchanged(world, &prod, &before).await?;
    Ok("\"updates to statefulset spec … are forbidden\" names wattline-kafka".to_owned())
}

async fn unchanged(world: &World, release: &Release<'_>, before: &Snapshot) -> Result<()> {
    audit::settled(&world.cluster, release.namespace, Demands::all(NODES.len())).await?;
    let after = release.snapshot().await?;
    let changed = before.differences(&after);
    ensure!(changed.is_empty(), "is not as it was: {changed:?}");
    ensure!(before.replaced(&after).is_empty(), "pods were replaced: {:?}", before.replaced(&after));
    Ok(())
}

async fn blind_service(world: &World) -> Result<String> {
    let dev = Release::of(world, Environment::Dev);
    let before = dev.snapshot().await?;
    let blind = r#"[{"op": "add", "path": "/spec/selector/misspelt", "value": "true"}]"#;
    let service = "wattline-query-api";
    dev.kubectl(&["patch", "service", service, "--type=json", "-p", blind]).await?.ok()?;
    let word = format!("Service/{service} has no endpoint");
    let found = poll_until(&word, Duration::from_secs(300), Duration::from_millis(500), async || {
        let findings = audit::findings(&world.cluster, "dev", Demands::all(NODES.len())).await?;
        Ok(findings.into_iter().find(|finding| finding.contains(&word)))
    })
    .await?;
    let undo = r#"[{"op": "remove", "path": "/spec/selector/misspelt"}]"#;
    dev.kubectl(&["patch", "service", service, "--type=json", "-p", undo]).await?.ok()?;
    unchanged(world, &dev, &before).await?;
    Ok(format!("found: {}", found.split(": ").next().unwrap_or_default()))
}

async fn privileged(world: &World) -> Result<String> {
    let template = rendered(world, "Deployment", "wattline-query-api").await?["spec"]["template"].take();
    let mut pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "mistake"}});
    pod["spec"] = template["spec"].clone();
    pod["spec"]["containers"][0]["securityContext"] = json!({"privileged": true});
    let words = ["violates PodSecurity \"restricted", "privileged"];
    refused(world, &pod, &words).await?;
    Ok("violates PodSecurity \"restricted\"".to_owned())
}

async fn misspelt(world: &World) -> Result<String> {
    let mut deployment = rendered(world, "Deployment", "wattline-query-api").await?;
    deployment["spec"]["replica"] = json!(2);
    refused(world, &deployment, &["unknown field \"spec.replica\""]).await?;
    Ok("unknown field \"spec.replica\"".to_owned())
}

/// A rule in CEL, which no schema check without an API server runs.
async fn doubled_listener(world: &World) -> Result<String> {
    let listener = |name: &str| {
        json!({"name": name, "port": 443, "protocol": "HTTPS", "hostname": "a.example",
        "tls": {"certificateRefs": [{"name": "a"}]}})
    };
    let gateway = json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": {"name": "mistake"},
        "spec": {"gatewayClassName": "any", "listeners": [listener("one"), listener("two")]},
    });
    let words = ["Combination of port, protocol and hostname must be unique"];
    refused(world, &gateway, &words).await?;
    Ok("\"combination of port, protocol and hostname must be unique\"".to_owned())
}

/// The API server refuses an object in dev with these words.
async fn refused(world: &World, object: &Value, words: &[&str]) -> Result<()> {
    let arguments = ["create", "--dry-run=server", "--validate=strict", "-n", "dev", "-f", "-"];
    world.cluster.kubectl.ask(&arguments, Some(&object.to_string())).await?.refusal(words)?;
    Ok(())
}

/// An object of dev's manifest, under a name that is free.
async fn rendered(world: &World, wanted: &str, of: &str) -> Result<Value> {
    let objects = manifest::objects(&Release::of(world, Environment::Dev).manifest().await?)?;
    let found = objects.into_iter().find(|object| kind(object) == wanted && name(object) == of);
    let mut found = found.with_context(|| format!("dev has no {wanted} {of}"))?;
    found["metadata"]["name"] = json!("mistake");
    Ok(found)
}
