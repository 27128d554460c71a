//! A stack that is up: its servers, services and street, watched.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tokio::process::Command;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tracing::info;
use wattline_localstack::{Program, ServiceKind, ServiceProcess, Stack, poll_until};

use super::Options;
use crate::report::{self, Report};
use crate::supervise::supervise;

/// All of it; dropped, all of it ends.
pub(super) struct Running {
    // Dropped first: nothing is started again while the rest ends.
    supervisors: JoinSet<()>,
    street: Option<Arc<Program>>,
    services: Vec<Arc<ServiceProcess>>,
    stack: Arc<Stack>,
    broker_save_s: u32,
    http: Option<String>,
    changes: mpsc::Receiver<()>,
    tell_change: mpsc::Sender<()>,
}

impl Running {
    pub(super) fn new(stack: Stack, broker_save_s: u32) -> Self {
        let (tell_change, changes) = mpsc::channel(1);
        Self {
            supervisors: JoinSet::new(),
            street: None,
            services: Vec::new(),
            stack: Arc::new(stack),
            broker_save_s,
            http: None,
            changes,
            tell_change,
        }
    }

    pub(super) fn supervise_servers(&mut self) {
        for (index, server) in self.stack.servers().iter().enumerate() {
            let (name, changes) = (server.name().to_owned(), self.tell_change.clone());
            let (ended, start) = (Arc::clone(&self.stack), Arc::clone(&self.stack));
            self.supervisors.spawn(supervise(
                name,
                changes,
                async move || ended.servers()[index].wait_ended().await,
                async move || start.servers()[index].start().await,
            ));
        }
    }

    /// The database's schema and Kafka's topics.
    pub(super) async fn prepare(&self, bin_dir: &Path, brokers: u16) -> Result<()> {
        let program = bin_dir.join("wattlinectl");
        let replicas = brokers.to_string();
        let (database, kafka) = (self.stack.database_url(), self.stack.kafka_brokers());
        let migrate = ["migrate", "--database", &database];
        let topics = ["topics", "--brokers", &kafka, "--replication-factor", &replicas];
        tokio::try_join!(control(&program, &migrate), control(&program, &topics))?;
        Ok(())
    }

    /// Starts all replicas at once and waits until each is ready.
    pub(super) async fn start_services(&mut self, bin_dir: &Path, options: &Options) -> Result<()> {
        for &kind in ServiceKind::ALL {
            let replicas = match kind {
                ServiceKind::MqttIngest => options.ingests,
                ServiceKind::TimescaleSink => options.sinks,
                ServiceKind::Aggregator => options.aggregators,
                ServiceKind::QueryApi => 1,
            };
            for ordinal in 0..replicas {
                let service = Arc::new(self.stack.start_service(kind, ordinal, bin_dir, &[])?);
                self.services.push(Arc::clone(&service));
                self.supervise_service(service, ordinal);
            }
        }
        self.http = Some(format!("http://{}", self.stack.http_address()?));
        info!("waiting for the services");
        for service in &self.services {
            wait_ready(service).await?;
        }
        Ok(())
    }

    fn supervise_service(&mut self, service: Arc<ServiceProcess>, ordinal: u16) {
        let (name, changes) = (format!("{} {ordinal}", service.kind()), self.tell_change.clone());
        let ended = Arc::clone(&service);
        self.supervisors.spawn(supervise(
            name,
            changes,
            async move || ended.wait_ended().await,
            async move || service.start_again(),
        ));
    }

    /// The simulated homes.
    pub(super) fn start_street(&mut self, bin_dir: &Path, homes: u32) -> Result<()> {
        let password_file = self.stack.mqtt_password_file("meters");
        let launch = self
            .stack
            .launch(bin_dir.join("wattline-loadtest"), "street")
            .args(["street", "--mqtt", &self.stack.mqtt_url(), "--username", "meters", "--password-file"])
            .args([password_file])
            .args(["--homes", &homes.to_string()])
            // The page shows today: so do meters that were away keep what they measured.
            .args(["--history-h", "24"]);
        let street = Arc::new(Program::start("the simulated street", launch)?);
        self.street = Some(Arc::clone(&street));
        let ended = Arc::clone(&street);
        self.supervisors.spawn(supervise(
            "the simulated street".to_owned(),
            self.tell_change.clone(),
            async move || ended.wait_ended().await,
            async move || street.start_again(),
        ));
        Ok(())
    }

    /// Waits until a process was started again.
    pub(super) async fn changed(&mut self) {
        // `tell_change` keeps the channel open.
        self.changes.recv().await;
    }

    pub(super) fn report(&self) -> Report {
        let users = ["ingest", "meters", "observer"];
        let mut report = Report {
            id: self.stack.id().to_string(),
            pid: std::process::id(),
            mqtt: self.stack.mqtt_url(),
            broker_save_s: self.broker_save_s,
            mqtt_password_files: users.map(|user| (user, self.stack.mqtt_password_file(user))).into(),
            kafka: self.stack.kafka_brokers(),
            database: self.stack.database_url(),
            graphql: self.http.as_ref().map(|http| format!("{http}/graphql")),
            live_page: self.http.as_ref().map(|http| format!("{http}/")),
            services: Default::default(),
            servers: Default::default(),
            street: self.street.as_ref().map(|street| program(street.pid(), street.log_file())),
        };
        for service in &self.services {
            report.services.entry(service.kind().name()).or_default().push(report::Service {
                pid: service.pid(),
                admin: service.admin_url().to_owned(),
                log: service.log_file().to_owned(),
            });
        }
        for server in self.stack.servers() {
            report.servers.insert(server.name().to_owned(), program(server.pid(), server.log_file()));
        }
        report
    }

    /// Stops in the order of the data, so that what is on its way arrives.
    pub(super) async fn stop(mut self) -> Result<()> {
        self.supervisors.shutdown().await;
        if let Some(street) = &self.street {
            street.stop().await?;
        }
        for service in &self.services {
            service.stop().await?;
        }
        for server in self.stack.servers() {
            server.stop().await?;
        }
        Ok(())
    }
}

fn program(pid: Option<i32>, log: &Path) -> report::Program {
    report::Program { pid, log: PathBuf::from(log) }
}

/// A service that refuses its configuration is not worth waiting for; one that lacks something else may get it yet.
async fn wait_ready(service: &ServiceProcess) -> Result<()> {
    const EXIT_CONFIGURATION: i32 = 64;
    let what = format!("{} to be ready", service.kind());
    let ready = poll_until(&what, Duration::from_secs(180), Duration::from_millis(50), async || {
        if service.exit_status().and_then(|status| status.code()) == Some(EXIT_CONFIGURATION) {
            bail!("{} refuses its configuration", service.kind());
        }
        Ok(service.is_ready().await.then_some(()))
    });
    let log = service.log_file().display();
    ready.await.with_context(|| format!("the end of {log}:\n{}", service.log_tail(15)))
}

/// Runs `wattlinectl` to its end.
async fn control(program: &Path, arguments: &[&str]) -> Result<()> {
    ensure!(program.exists(), "{} is missing: cargo build --release", program.display());
    let done = Command::new(program).args(arguments).kill_on_drop(true).output().await;
    let done = done.with_context(|| format!("cannot run {}", program.display()))?;
    let name = arguments.first().copied().unwrap_or_default();
    if !done.status.success() {
        let (out, errors) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        bail!("wattlinectl {name} failed ({}): {}{}", done.status, out, errors.trim());
    }
    info!("wattlinectl {name}: {}", String::from_utf8_lossy(&done.stdout).trim().replace('\n', "; "));
    Ok(())
}
