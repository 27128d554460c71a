//! Kafka → TimescaleDB, each reading once.

use std::process::ExitCode;

fn main() -> ExitCode {
    wattline_service::start("timescale-sink", wattline_timescale_sink::run)
}
