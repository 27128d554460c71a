//! `scripts/wattlinectl-job.sh`, as operators use it. No fake node has a log, so what it prints is not shown here: that
//! it makes the Job that was meant, waits for its end, tells how that was, and leaves nothing.

use anyhow::{Result, ensure};

use crate::charts::Environment;
use crate::report::Report;

use super::World;

const CRON_JOB: &str = "cronjob/wattline-operator";
const IMAGE: &str = "jsonpath={.spec.jobTemplate.spec.template.spec.containers[0].image}";
const ARGUMENTS: [&str; 4] = ["dead-letters", "list", "--reason", "a \"quoted\" one"];

pub(super) async fn runs_wattlinectl(world: &World, report: &mut Report) -> Result<()> {
    report.step("wattlinectl in prod, once", ends_well(world)).await?;
    report.step("wattlinectl in prod, which fails", ends_badly(world)).await
}

async fn ends_well(world: &World) -> Result<String> {
    let said = world.operator_job.ask(&arguments(), None).await?;
    ensure!(said.success, "{said}");
    let wanted = serde_json::to_string(&ARGUMENTS)?;
    ensure!(said.stderr.contains(&format!("created with {wanted}")), "other arguments than {wanted}: {said}");
    nothing_is_left(world).await?;
    Ok("its Job has the arguments that were given, and is gone".to_owned())
}

/// The image with this tag fails, see KWOK's stages.
async fn ends_badly(world: &World) -> Result<String> {
    let prod = Environment::Prod.name();
    let kubectl = &world.cluster.kubectl;
    let image = kubectl.run(&["get", CRON_JOB, "-n", prod, "-o", IMAGE]).await?;
    kubectl.run(&["set", "image", CRON_JOB, "-n", prod, "*=wattlinectl:fails"]).await?;
    let said = world.operator_job.ask(&arguments(), None).await?;
    kubectl.run(&["set", "image", CRON_JOB, "-n", prod, &format!("*={image}")]).await?;
    said.refusal(&["created with"])?;
    nothing_is_left(world).await?;
    Ok("says so by its exit code; its Job is gone".to_owned())
}

fn arguments() -> Vec<&'static str> {
    [Environment::Prod.name()].into_iter().chain(ARGUMENTS).collect()
}

async fn nothing_is_left(world: &World) -> Result<()> {
    let jobs =
        world.cluster.kubectl.run(&["get", "jobs", "-n", Environment::Prod.name(), "-o", "name"]).await?;
    ensure!(!jobs.contains("/wattlinectl-"), "a Job is left: {jobs}");
    Ok(())
}
