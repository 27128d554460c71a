//! The service's process.

use std::process::ExitCode;

fn main() -> ExitCode {
    wattline_service::start("mqtt-ingest", wattline_mqtt_ingest::run)
}
