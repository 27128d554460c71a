//! What changed → rollups that equal a recomputation. The stream says what changed; the table says what is true.
//!
//! In the order of the data:
//!
//! 1. `consume`: a thread reads the readings topic and keeps only *marks*, the (meter, time range) that changed
//!    (`decode`, `marks`, `stream`);
//! 2. `claim`: an assigned partition's row in `stream_offset` becomes ours (`wattline_stream`);
//! 3. `compute`: one task, one connection: groups of marks first, then slices of the table `recompute`
//!    (`back_fill`, [`make_up`]), each in one snapshot (`transact`);
//! 4. `recompute`: raw rows (`load`) → `wattline_energy` → what is other than stored (`store`);
//! 5. [`audit`]: stored buckets against a recomputation, continuously at a low rate (`spot_check`) and on request.

pub mod audit;
mod back_fill;
mod claim;
mod compute;
pub mod config;
mod consume;
mod decode;
mod failure;
mod load;
pub mod make_up;
mod marks;
mod metrics;
mod recompute;
mod spot_check;
mod statements;
mod store;
mod stream;
mod traced;
mod transact;

use std::sync::Arc;

use anyhow::Context as _;
use tokio_util::sync::CancellationToken;
use wattline_service::Context;
use wattline_service::kafka::Clients;

pub use config::Config;

/// Runs until the context's shutdown.
///
/// # Errors
/// Where the settings make no Kafka client, or the consuming thread can't be started or dies.
pub async fn run(config: Config, context: Context) -> anyhow::Result<()> {
    let metrics = metrics::Metrics::register(&context.metrics);
    let client = context.ready.condition("client", "not made yet");
    let mut clients = Clients::begin();
    loop {
        client.holds();
        let outcome = round(config.clone(), &context, metrics.clone()).await;
        let Some(ended) = clients.mendable(outcome, &context.shutdown)? else { return Ok(()) };
        metrics.clients_ended.inc();
        client.fails(ended.to_string());
        if !clients.next(&context.shutdown).await {
            return Ok(());
        }
    }
}

/// With one member of the group, until the shutdown or its end.
async fn round(config: Config, context: &Context, metrics: metrics::Metrics) -> anyhow::Result<()> {
    let stream = Arc::new(stream::Stream::new(config.marks.pace()));
    let member = Arc::new(consume::join(&config, &stream)?);
    let stop_consuming = CancellationToken::new();
    // Also cancelled when the thread ends by itself.
    let stop_computing = context.shutdown.child_token();
    let consuming = {
        let (member, stream, config) = (Arc::clone(&member), Arc::clone(&stream), config.clone());
        let (metrics, stop) = (metrics.clone(), stop_consuming.clone());
        let ended = stop_computing.clone().drop_guard();
        std::thread::Builder::new()
            .name("consume".to_owned())
            .spawn(move || {
                let _ended = ended;
                consume::run(&member, &stream, &config, &metrics, &stop)
            })
            .context("cannot start the consuming thread")?
    };
    let computer = compute::Computer::new(config, stream, Arc::clone(&member), metrics, context);
    let computed = computer.run(&stop_computing).await;
    stop_consuming.cancel();
    let joined = tokio::task::spawn_blocking(move || consuming.join()).await;
    // The group is left when the last handle of the member is gone.
    wattline_stream::leave(member).await;
    match joined.context("waiting for the consuming thread was interrupted")? {
        Ok(outcome) => outcome.and(computed.map_err(Into::into)),
        Err(_) => anyhow::bail!("the consuming thread died"),
    }
}
