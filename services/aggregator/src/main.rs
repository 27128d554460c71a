//! The aggregator: what changed → rollups that equal a recomputation.

use std::process::ExitCode;

fn main() -> ExitCode {
    wattline_service::start("aggregator", wattline_aggregator::run)
}
