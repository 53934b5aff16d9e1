//! What gateways send, late, twice, broken or huge, and what they are answered (product.md section 4).

mod config;
mod installs;
mod many;
mod order;
mod refusals;
mod unavailable;

use proxima_test_support::{Client, Customer};
use serde_json::Value;

/// The customer's server as an admin sees it.
async fn server(admin: &Client, customer: &Customer) -> Value {
    admin.get(&format!("/api/v1/servers/{}", customer.server_id)).await.expect(200)
}
