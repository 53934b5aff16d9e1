//! Against a real sshd; these need root and are run with the lab (`./test lab`).
//!
//! # Which test shows which fault
//!
//! "Whole": a job asked for by the API of a real dashboard, the real gateway's program, a real box with systemd. After each
//! fault the box is compared with before, file by file ([`proxima_test_support::Lab::snapshot`]), and the next install ends with
//! visitors who get the website. Other tests show the same nearer to the code, where more cases fit into a second.
//!
//! | fault | whole | nearer to the code |
//! | --- | --- | --- |
//! | wrong password | `faults`: wrong logins | `jobs`; installer `openssh` |
//! | wrong password of sudo, no sudoer | `faults`: wrong logins | `connections`; installer `openssh` |
//! | another host key: stop, confirm, go on | `faults`: wrong logins | `connections`; installer `hostile` |
//! | SSH dropped in the upload | `faults`: a line that breaks | installer `jobs` |
//! | the cable is out for seconds, packets are lost | `faults`: a line that breaks | – |
//! | disk full before, and in the upload | `faults`: a line that breaks | setup `lab/faults` |
//! | power cut in the upload, reboot before the heartbeat | `faults` | – |
//! | `/tmp` does not execute, no sftp | `unsuitable`: a port in use | – |
//! | port 80 taken, by whom | `unsuitable`: a port in use | – |
//! | no systemd; another architecture | `unsuitable`: no systemd | setup `lab/faults` |
//! | a clock a day off (the dashboard's: the box has the machine's) | `unsuitable`: a clock | installer `facts/judge` |
//! | slow line | `unsuitable`: a clock | – |
//! | the setting opens the lab's addresses; loopback, metadata, mapped IPv6 | `unsuitable`: the lab's addresses | `api/connections.rs` |
//! | a name whose answer changes between check and connect | – (the dashboard uses the system's resolver) | installer `tests/outbound.rs` |
//! | hostile user, host and box names, distribution, banner, login script | `hostile`: names | installer `hostile` |
//! | output and banner without end | `hostile`: prints without end | installer `hostile` |
//! | an SSH server that breaks the protocol, never answers, refuses channels | – (no OpenSSH does) | installer `hostile` |
//! | two installs of a server; two servers for one box, one after the other and at once | `at_once` | setup `lab/faults` |
//! | dashboard killed -9 after 3 steps; `--full`: after and in every step, and in every undoing | `killed` | `api/jobs_takeover.rs`, `api/jobs_fence.rs` |
//! | dashboards replaced one by one, with jobs under way and heartbeats | `rolling` | `api/jobs_takeover.rs` |
//! | the setup program killed on the box | – | setup `lab/kill` |
//! | PostgreSQL gone for 6 s; `--full`: for longer than the lease | `no_database` | `api/jobs_fence.rs` |
//! | update to another version; one that never reports or does not run is put back | `update` | setup `lab/update` |
//! | the manual way: ended by signals, cancelled, given up, killed; wget alone; who may not use sudo | `install_command` | `api/install_tokens` |
//! | the whole life, by clicks | `e2e/lab/install.test.js` | `jobs` |

mod at_once;
mod connections;
mod fake_box;
mod faults;
mod hostile;
mod https;
mod install_command;
mod jobs;
mod killed;
mod management;
mod no_database;
mod real_box;
mod rolling;
mod unsuitable;
mod update;
