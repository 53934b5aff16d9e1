//! Visitors who speak HTTP/2.

mod frames;
mod requests;

use crate::support::backend::Backend;
use crate::support::gateway::{Served, serve_config};
use crate::support::tls::{certificate, secured};
use serde_json::{Value, json};

fn serve_with(backend: &Backend, more: &Value, flags: &[&str]) -> Served {
    let certificates = [certificate(&["shop.test"]).pem("shop")];
    serve_config(|port| secured(1, port, &backend.url(), &certificates, more), flags)
}

fn serve(backend: &Backend) -> Served {
    serve_with(backend, &json!({}), &[])
}
