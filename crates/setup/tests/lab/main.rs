//! `proxima-gateway setup` on a real Debian with systemd: `./test lab`, as root.

mod customer;
mod dashboard;
mod faults;
mod install;
mod kill;
mod update;
