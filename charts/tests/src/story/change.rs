//! Upgrades, a rollback, and other numbers of replicas.

use std::time::Duration;

use anyhow::{Result, ensure};
use wattline_localstack::poll_until;

use crate::audit::{self, Demands};
use crate::charts::{Environment, RELEASE};
use crate::cluster::NODES;
use crate::report::Report;

use super::World;
use super::release::Release;

/// The controllers look every five seconds.
const SCALING: Duration = Duration::from_secs(300);
/// A setting of one service.
pub(super) const OTHER_SETTING: &str = "timescale-sink.config.batch.linger_ms=250";

/// An upgrade touches what it must and no more; the same again touches nothing; a rollback brings everything back.
pub(super) async fn upgrades(world: &World, report: &mut Report) -> Result<()> {
    let prod = Release::of(world, Environment::Prod);
    let settled = || audit::settled(&world.cluster, "prod", Demands::all(NODES.len()));
    let first = prod.snapshot().await?;
    let step = async {
        prod.upgrade(&["--set", OTHER_SETTING]).await?;
        settled().await?;
        let second = prod.snapshot().await?;
        let (changed, replaced) = (first.differences(&second), first.replaced(&second));
        for change in changed.iter().chain(&replaced) {
            ensure!(change.contains("timescale-sink"), "changed as well: {changed:?}, {replaced:?}");
        }
        ensure!(!replaced.is_empty(), "no pod has the new setting: {changed:?}");
        Ok(format!("changes only {}, and replaces {} pods", changed.join(" and "), replaced.len()))
    };
    report.step("upgrade prod: a setting of timescale-sink", step).await?;
    let second = prod.snapshot().await?;
    let step = async {
        prod.upgrade(&["--set", OTHER_SETTING]).await?;
        let third = prod.snapshot().await?;
        let changed = second.differences(&third);
        ensure!(changed.is_empty(), "changed without a reason: {changed:?}");
        ensure!(second.generations == third.generations, "was written again: {:?}", third.generations);
        ensure!(second.pods == third.pods, "pods were replaced: {:?}", second.replaced(&third));
        Ok(format!("{} objects and {} pods are the same", third.objects.len(), third.pods.len()))
    };
    report.step("the same upgrade again", step).await?;
    let step = async {
        let manifest = prod.manifest().await?;
        let diff = world.cluster.kubectl.ask(&["diff", "-n", "prod", "-f", "-"], Some(&manifest)).await?;
        ensure!(diff.success, "the manifest and the cluster differ: {diff}");
        Ok("nothing differs".to_owned())
    };
    report.step("helm get manifest | kubectl diff", step).await?;
    let step = async {
        prod.helm(&["rollback", RELEASE, "1", "--wait", "--timeout", "300s"]).await?;
        settled().await?;
        let back = prod.snapshot().await?;
        let changed = first.differences(&back);
        ensure!(changed.is_empty(), "is not as it was: {changed:?}");
        Ok(format!("all {} objects are as first installed", back.objects.len()))
    };
    report.step("rollback prod to the first revision", step).await
}

/// By hand, which is seen as a drift, and by values.
pub(super) async fn scales(world: &World, report: &mut Report) -> Result<()> {
    let staging = Release::of(world, Environment::Staging);
    let step = async {
        let before = replicas(&staging).await?;
        let more = format!("--replicas={}", before + 1);
        staging.kubectl(&["scale", "statefulset", INGEST, &more]).await?.ok()?;
        let manifest = staging.manifest().await?;
        let diff = world.cluster.kubectl.ask(&["diff", "-n", "staging", "-f", "-"], Some(&manifest)).await?;
        ensure!(!diff.success && diff.stdout.contains("replicas:"), "no drift is seen: {diff}");
        let fewer = format!("--replicas={before}");
        staging.kubectl(&["scale", "statefulset", INGEST, &fewer]).await?.ok()?;
        audit::settled(&world.cluster, "staging", Demands::all(NODES.len())).await?;
        Ok("kubectl diff shows the drift".to_owned())
    };
    report.step("scale mqtt-ingest of staging by hand, and back", step).await?;
    let step = async {
        let wanted = replicas(&staging).await? + 1;
        let set = format!("mqtt-ingest.replicas={wanted}");
        // kubectl owns the field since it wrote it, even when it wrote the same number.
        let answer = staging.try_upgrade("300s", &["--set", &set]).await?;
        answer.refusal(&["conflict with \"kubectl\"", ".spec.replicas"])?;
        staging.upgrade(&["--set", &set, "--force-conflicts"]).await?;
        audit::settled(&world.cluster, "staging", Demands::all(NODES.len())).await?;
        ensure!(replicas(&staging).await? == wanted, "there are {} replicas", replicas(&staging).await?);
        let last = format!("{INGEST}-{}", wanted - 1);
        staging.kubectl(&["get", "pod", &last]).await?.ok()?;
        staging.upgrade(&[]).await?;
        audit::settled(&world.cluster, "staging", Demands::all(NODES.len())).await?;
        Ok(format!("refused over .spec.replicas; with --force-conflicts {wanted} replicas, {last} is new"))
    };
    report.step("scale mqtt-ingest of staging by values, and back", step).await?;
    report.step("scale prod by the least number of its autoscalers, and back", by_autoscalers(world)).await
}

/// One workload by its HPA, one by what KEDA makes of its ScaledObject: the chart sets neither's number of replicas.
async fn by_autoscalers(world: &World) -> Result<String> {
    const SCALED: [(&str, &str); 2] =
        [("query-api.autoscaling.hpa", "deployment"), ("timescale-sink.autoscaling.keda", "statefulset")];
    let prod = Release::of(world, Environment::Prod);
    let count = async |least: u32| {
        for (setting, kind) in SCALED {
            let workload = format!("{RELEASE}-{}", setting.split('.').next().unwrap_or_default());
            if least == 2 {
                // An autoscaler without a metric never takes replicas away.
                prod.kubectl(&["scale", kind, &workload, "--replicas=2"]).await?.ok()?;
            }
            poll_until(&format!("{least} × {workload}"), SCALING, Duration::from_millis(500), async || {
                let path = "jsonpath={.status.readyReplicas}";
                let ready = prod.kubectl(&["get", kind, &workload, "-o", path]).await?.ok()?;
                Ok((ready == least.to_string()).then_some(()))
            })
            .await?;
        }
        audit::settled(&world.cluster, "prod", Demands::all(NODES.len())).await
    };
    let sets = SCALED.map(|(setting, _)| format!("{setting}.minReplicas=3"));
    prod.upgrade(&["--set", &sets[0], "--set", &sets[1]]).await?;
    let more = count(3).await?;
    prod.upgrade(&[]).await?;
    let back = count(2).await?;
    Ok(format!("query-api and timescale-sink 2 → 3 → 2: {} pods, then {}", more.pods, back.pods))
}

const INGEST: &str = "wattline-mqtt-ingest";

async fn replicas(release: &Release<'_>) -> Result<u32> {
    let path = "jsonpath={.spec.replicas}";
    let text = release.kubectl(&["get", "statefulset", INGEST, "-o", path]).await?.ok()?;
    Ok(text.trim().parse()?)
}
