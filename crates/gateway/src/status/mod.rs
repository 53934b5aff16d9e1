//! How the gateway is: written to `status.json` by the running one, read by `proxima-gateway
//! status` and by the management API.

mod command;
pub mod process;

pub use command::run;
pub use proxima_types::manage::{GatewayStatus as Status, ProcessMark, StatusDocument};
