//! The database's primary is gone with its node: whoever leads now takes it out of the Service, by what the chart gives
//! Patroni to call.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use wattline_localstack::poll_until;

use crate::charts::Environment;
use crate::object::{each, name};
use crate::report::Report;
use crate::tool::Tool;

use super::World;

/// The chart's name for servers, account, Service, ConfigMap and Patroni's scope.
const DATABASE: &str = "wattline-timescaledb";
const PROGRAM: &str = "on-role-change.py";
/// Where a pod has its account's files.
const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount/";
const LOST: &str = "wattline-timescaledb-0";
const NEW: &str = "wattline-timescaledb-1";
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) async fn a_lost_primary_leaves_its_service(world: &World, report: &mut Report) -> Result<()> {
    let step = async {
        let program = as_in_the_pod(world, NEW).await?;
        program.run(&["on_role_change", "replica", DATABASE]).await?;
        ensure!(
            primaries(world).await? == [LOST],
            "whoever follows changes nothing: {:?}",
            primaries(world).await?
        );
        // Patroni itself says so of its own pod.
        label(world, NEW, "primary").await?;
        ensure!(primaries(world).await? == [LOST, NEW], "one is lost and one leads");
        let said = program.run(&["on_role_change", "primary", DATABASE]).await?;
        ensure!(said.contains(LOST), "it names no pod: {said}");
        ensure!(primaries(world).await? == [NEW], "{:?} have the label", primaries(world).await?);
        poll_until("the Service to lead to one pod", PATIENCE, Duration::from_millis(200), async || {
            Ok((endpoints(world).await? == [NEW]).then_some(()))
        })
        .await?;
        label(world, LOST, "primary").await?;
        label(world, NEW, "replica").await?;
        Ok("its label is taken off with the rights of the servers' own account, and the Service leads to the new one".to_owned())
    };
    report.step("a primary that can't take its own label off", step).await
}

/// The program of the ConfigMap, with what its pod has: the account's token and authority, and the API's address.
async fn as_in_the_pod(world: &World, pod: &str) -> Result<Tool> {
    let (kubectl, namespace) = (&world.cluster.kubectl, Environment::Prod.name());
    let account = tempfile::tempdir_in(world.cluster.dir())?.keep();
    let token = kubectl.run(&["create", "token", DATABASE, "-n", namespace]).await?;
    fs::write(account.join("token"), token.trim())?;
    fs::write(account.join("namespace"), namespace)?;
    fs::copy(world.cluster.dir().join("certs/apiserver.crt"), account.join("ca.crt"))
        .context("the API server's certificate")?;
    let map = kubectl.json(&["get", "configmap", DATABASE, "-n", namespace, "-o", "json"]).await?;
    let text = map["data"][PROGRAM].as_str().with_context(|| format!("{DATABASE} has no {PROGRAM}"))?;
    ensure!(text.contains(ACCOUNT), "{PROGRAM} has other places for the account's files");
    let file = account.join(PROGRAM);
    fs::write(&file, text.replace(ACCOUNT, &format!("{}/", account.display())))?;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755))?;
    let server = kubectl.json(&["config", "view", "-o", "json"]).await?;
    let server =
        server["clusters"][0]["cluster"]["server"].as_str().context("the API server has no address")?;
    let (host, port) = server
        .strip_prefix("https://")
        .and_then(|address| address.split_once(':'))
        .with_context(|| format!("the API server's address is {server}"))?;
    let environment =
        [("HOSTNAME", pod), ("KUBERNETES_SERVICE_HOST", host), ("KUBERNETES_SERVICE_PORT", port)];
    Tool::new(&file, &environment.map(|(name, value)| (name, Path::new(value))))
}

async fn label(world: &World, pod: &str, role: &str) -> Result<()> {
    let role = format!("role={role}");
    let arguments = ["label", "pod", pod, "-n", Environment::Prod.name(), "--overwrite", &role];
    world.cluster.kubectl.run(&arguments).await?;
    Ok(())
}

async fn primaries(world: &World) -> Result<Vec<String>> {
    let arguments = ["get", "pods", "-n", Environment::Prod.name(), "-l", "role=primary", "-o", "json"];
    let pods = world.cluster.kubectl.items(&arguments).await?;
    Ok(pods.iter().map(|pod| name(pod).to_owned()).collect())
}

/// The pods that the Service leads to.
async fn endpoints(world: &World) -> Result<Vec<String>> {
    let of = format!("kubernetes.io/service-name={DATABASE}");
    let arguments = ["get", "endpointslices", "-n", Environment::Prod.name(), "-l", &of, "-o", "json"];
    let slices = world.cluster.kubectl.items(&arguments).await?;
    let addresses = slices.iter().flat_map(|slice| each(&slice["endpoints"]));
    let pods = addresses.filter_map(|address| address["targetRef"]["name"].as_str());
    Ok(pods.map(str::to_owned).collect())
}
