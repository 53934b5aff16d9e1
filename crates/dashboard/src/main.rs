//! `proxima-dashboard`: the control plane's program.

use proxima_dashboard::cli::{Cli, run};
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    match Cli::load() {
        Ok(cli) => run(cli).await,
        Err(code) => code,
    }
}
