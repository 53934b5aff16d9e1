//! The parts of the heartbeat benchmark: a dashboard to measure, servers in its database, gateways that send
//! heartbeats, and what processes cost. `src/bin/heartbeats.rs` puts them together; `bench/run` runs it.

pub mod crowd;
pub mod dashboard;
pub mod fleet;
pub mod load;
pub mod processes;
pub mod report;
pub mod scenarios;
pub mod standin;
pub mod tally;
pub mod wire;
