//! What tests share: a dashboard on a real socket over a real PostgreSQL database of its own, a
//! browser-like client, and a gateway's heartbeats.

#![allow(clippy::expect_used, clippy::missing_panics_doc)]

mod app;
mod client;
mod gateway;

pub use app::{Customer, PASSWORD, TestApp};
pub use client::{Answer, Client};
pub use gateway::{Beat, TestGateway};
