//! The charts, rendered once.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tokio::sync::OnceCell;
use wattline_charts_tests::charts::{self, Charts, Environment};
use wattline_charts_tests::tool::Tool;
use wattline_localstack::{Port, ServiceKind};

/// All services, as the charts name their workloads.
pub(crate) fn workload(kind: ServiceKind) -> String {
    format!("{}-{kind}", charts::RELEASE)
}

/// Where the services' programs are: beside this test's folder.
pub(crate) fn bin_dir() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    own.parent().and_then(Path::parent).unwrap().to_owned()
}

/// What stands in a Secret that a test makes up.
#[expect(clippy::unnecessary_wraps, reason = "the form that is asked for")]
pub(crate) fn any_secret(key: &str) -> anyhow::Result<String> {
    Ok(format!("of-a-test-{key}"))
}

/// The objects of an environment.
pub(crate) async fn rendered(environment: Environment) -> Vec<Value> {
    rendered_with(environment, &[]).await
}

/// The same with more arguments of helm.
pub(crate) async fn rendered_with(environment: Environment, more: &[&str]) -> Vec<Value> {
    static CHARTS: OnceCell<(Tool, Charts)> = OnceCell::const_new();
    let (helm, charts) = CHARTS
        .get_or_init(|| async {
            // Kept for as long as the process lives; one folder below the build's, made anew each time.
            let folder = bin_dir().join("charts-tests");
            let _ = std::fs::remove_dir_all(&folder);
            let helm = charts::helm(&folder.join("helm")).unwrap_or_else(|error| panic!("{error:#}"));
            let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
            let charts = Charts::copy(&helm, &from, &folder.join("charts")).await;
            (helm, charts.unwrap_or_else(|error| panic!("{error:#}")))
        })
        .await;
    charts.render(helm, environment, more).await.unwrap_or_else(|error| panic!("{error:#}"))
}

/// Reserved for as long as this process lives: tests run side by side.
pub(crate) fn free_address() -> SocketAddr {
    let port = Port::choose(None).unwrap();
    let address = port.address();
    std::mem::forget(port);
    address
}
