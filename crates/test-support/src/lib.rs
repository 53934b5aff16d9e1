//! What tests share: a dashboard on a real socket over a real PostgreSQL database of its own, a
//! browser-like client, and a gateway's heartbeats.

#![allow(clippy::expect_used, clippy::missing_panics_doc)]

mod app;
mod client;
mod database;
mod gateway;
mod lab;
mod process;

pub use app::{Customer, PASSWORD, TestApp};
pub use client::{Answer, Client};
pub use database::{Audited, Blocker, audited, database_url, dump, first_broken, rows_matching, wait_until};
pub use gateway::{Beat, Exchange, TestGateway};
pub use lab::{Cable, Lab, LabOptions, LabUser, Reboot, assert_same_box};
pub use process::{DashboardProcess, Finished, Folder, run_program, run_program_with};
pub use reqwest::Method;
