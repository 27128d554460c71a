//! `wattline-stack`: the whole of Wattline on one machine.

mod down;
mod lifetime;
mod report;
mod supervise;
mod up;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

/// Runs Mosquitto, Kafka and TimescaleDB privately, and Wattline's services with them.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start a stack and keep it running until Ctrl-C, SIGTERM, or the end of the process that started this one.
    Up(Box<up::Options>),
    /// Stop the stack of a folder, whoever runs it, and delete its data.
    Down(down::Options),
}

#[tokio::main]
#[expect(clippy::print_stderr, reason = "a command speaks to its user")]
async fn main() -> ExitCode {
    let filter = EnvFilter::try_from_env("WATTLINE_STACK_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
    let outcome = match Arguments::parse().command {
        Command::Up(options) => up::run(*options).await,
        Command::Down(options) => down::run(&options).await,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("wattline-stack: {error:#}");
            ExitCode::FAILURE
        }
    }
}
