//! The API over real sockets and a real PostgreSQL: one module for each resource.

#![allow(clippy::expect_used, clippy::unwrap_used)]

mod license;
