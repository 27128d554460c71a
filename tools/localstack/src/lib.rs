//! The real servers of Wattline on one machine, started privately: Mosquitto, Apache Kafka and PostgreSQL with
//! TimescaleDB, on free loopback ports, in a data folder of their own.
//!
//! The demo, the tests, the fault tests and the load test all use it, so it can also stop, kill, freeze, cut off, slow
//! down and restart each server and each service. Nothing here is a stand-in for a server.
//!
//! - Start reading at [`Stack::start`]; [`Server`] is the handle of one running server, [`ServiceProcess`] of one
//!   service, [`Proxy`] the network between two of them.
//! - **Everything dies with its parent.** Each child is exec'ed by a few lines of `sh` that leave a watcher behind; the
//!   watcher reads a pipe whose other end only the parent holds ([`Process`]).
//! - **No runtime is needed between calls.** Waiting for children and proxying run on threads of their own, so that
//!   one stack can be shared by many `#[tokio::test]` functions, each with its own runtime.
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! use wattline_localstack::{Proxy, ServerKind, Stack, StackOptions};
//!
//! let stack = Stack::start(StackOptions::new().servers(&[ServerKind::Kafka, ServerKind::Timescale])).await?;
//! let proxy = Proxy::start(stack.timescale().address()).await?;
//! // … point a service at the proxy, then:
//! proxy.cut();
//! stack.kafka().kill().await?;
//! stack.kafka().start().await?;
//! proxy.restore();
//! # Ok(())
//! # }
//! ```

mod artemis;
mod database;
mod disk;
mod identity;
mod installation;
mod kafka;
mod leftovers;
mod mirror;
mod mosquitto;
mod options;
mod patroni;
mod placement;
mod ports;
mod proc;
mod process;
mod program;
mod proxy;
pub mod segment;
mod server;
mod service;
mod software;
mod stack;
mod statements;
mod timescale;
mod watch;

pub use identity::StackId;
pub use installation::Installation;
pub use mirror::Mirror;
pub use mosquitto::{Authority, CertificateUse};
pub use options::{KafkaTuning, ServerKind, StackOptions};
pub use ports::{Port, is_free};
pub use proc::{cpu_time, descendants, rss_bytes};
pub use process::{Launch, Process};
pub use program::Program;
pub use proxy::Proxy;
pub use server::Server;
pub use service::{ServiceKind, ServiceProcess};
pub use stack::{Stack, delete, end_leftovers, owner};
pub use statements::SqlFiles;
pub use watch::{poll_until, wait_http};

/// The signals that servers and services are sent.
pub use nix::sys::signal::Signal;
