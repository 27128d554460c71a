//! What the aggregator promises, against real servers. The tests play the sink: they insert readings and advance its
//! offset row in one transaction.

mod ahead_of_the_sink;
mod back_fill;
mod cost;
mod crash;
mod damaged;
mod equals_recomputation;
mod holes;
mod identity;
mod lost_commits;
mod mismatch;
mod rebalance;
mod scene;
mod statements;
mod thrown_out;
mod zombie;
