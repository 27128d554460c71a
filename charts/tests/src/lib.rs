//! Tests of the charts beyond rendering: on a real API server, and with the real services.
//!
//! - [`cluster`]: etcd, kube-apiserver, controller-manager, scheduler and KWOK's fake nodes as child processes. The program
//!   `wattline-kubernetes` (`make kubernetes`) installs the charts there and tells the [`story`] of an installation.
//! - [`pod`]: what a rendered chart hands to a container: its files, environment and command. The tests in `it/` start the
//!   real services with exactly that.

pub mod alertmanager;
pub mod audit;
pub mod charts;
pub mod cluster;
pub mod manifest;
pub mod object;
pub mod pod;
pub mod prometheus;
pub mod quantity;
pub mod report;
pub mod story;
pub mod tool;
