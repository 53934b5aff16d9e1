//! Counters and gauges: plain atomics that every room adds to, read by heartbeats, by
//! `status.json` and by the Prometheus endpoint.

pub mod server;

use proxima_types::heartbeat::Counters;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// One number.
#[derive(Debug, Default)]
pub struct Number(AtomicU64);

impl Number {
    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Relaxed);
    }

    pub fn increment(&self) {
        self.add(1);
    }

    pub fn decrement(&self) {
        self.0.fetch_sub(1, Relaxed);
    }

    pub fn set(&self, value: u64) {
        self.0.store(value, Relaxed);
    }

    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Everything that is counted, since this boot.
#[derive(Debug, Default)]
pub struct Metrics {
    pub requests: Number,
    /// Bodies from visitors, in bytes.
    pub bytes_in: Number,
    /// Bodies to visitors, in bytes.
    pub bytes_out: Number,
    /// Those of either that passed through the kernel alone.
    pub bytes_spliced: Number,
    /// Answers that the gateway made because a backend did not: 502 and 504.
    pub backend_errors: Number,
    /// Requests refused before any backend: ambiguous framing, bad Host, CONNECT.
    pub refused_requests: Number,
    /// Visitors' connections, open now.
    pub connections: Number,
    pub connections_accepted: Number,
    /// Closed at once because the limit was reached.
    pub connections_over_limit: Number,
    pub accept_errors: Number,
    /// Connections to ports with TLS that came to nothing.
    pub tls_handshakes_failed: Number,
    /// Upgraded connections, open now.
    pub tunnels: Number,
    pub backend_connections_opened: Number,
    /// Requests that went out over a connection used before.
    pub backend_connections_reused: Number,
    /// Requests sent a second time because an idle connection had gone stale.
    pub backend_retries: Number,
    pub heartbeats_answered: Number,
    /// Heartbeats without a signed verdict.
    pub heartbeats_silent: Number,
    /// Seconds since the last signed answer; of the stored one's arrival after a restart.
    pub silence_seconds: Number,
    /// 1 while visitors' ports are open.
    pub serving: Number,
    pub open_ports: Number,
    pub configs_applied: Number,
    pub configs_rejected: Number,
    /// Requests to the management API.
    pub management_requests: Number,
    /// Those without the secret.
    pub management_refused: Number,
    /// Not allowed, too many at one time, or too many in a row.
    pub management_connections_refused: Number,
    /// 1 while the management API listens.
    pub management_listening: Number,
    pub management_open_failures: Number,
    /// License keys taken over from a heartbeat's answer.
    pub key_handovers: Number,
    /// Log lines dropped because the log's reader was too slow.
    pub log_lines_dropped: Number,
}

impl Metrics {
    /// What a heartbeat carries.
    #[must_use]
    pub fn counters(&self) -> Counters {
        Counters {
            requests: self.requests.get(),
            bytes_out: self.bytes_out.get(),
            bytes_in: self.bytes_in.get(),
            backend_errors: self.backend_errors.get(),
        }
    }

    /// The Prometheus text format, version 0.0.4.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::with_capacity(4096);
        for (name, kind, help, number) in self.rows() {
            let _ = writeln!(text, "# HELP proxima_gateway_{name} {help}");
            let _ = writeln!(text, "# TYPE proxima_gateway_{name} {kind}");
            let _ = writeln!(text, "proxima_gateway_{name} {}", number.get());
        }
        text
    }

    fn rows(&self) -> [(&'static str, &'static str, &'static str, &Number); 29] {
        const C: &str = "counter";
        const G: &str = "gauge";
        [
            ("requests_total", C, "Requests of visitors.", &self.requests),
            ("body_bytes_in_total", C, "Body bytes from visitors.", &self.bytes_in),
            ("body_bytes_out_total", C, "Body bytes to visitors.", &self.bytes_out),
            ("body_bytes_spliced_total", C, "Body bytes that passed through the kernel alone.", &self.bytes_spliced),
            ("backend_errors_total", C, "Answers 502 and 504 made by the gateway.", &self.backend_errors),
            ("refused_requests_total", C, "Malformed or ambiguous requests.", &self.refused_requests),
            ("connections", G, "Open connections of visitors.", &self.connections),
            ("connections_accepted_total", C, "Accepted connections.", &self.connections_accepted),
            ("connections_over_limit_total", C, "Connections closed at the limit.", &self.connections_over_limit),
            ("accept_errors_total", C, "Failed accepts.", &self.accept_errors),
            ("tls_handshakes_failed_total", C, "Connections without a TLS handshake.", &self.tls_handshakes_failed),
            ("tunnels", G, "Open upgraded connections.", &self.tunnels),
            ("backend_connections_opened_total", C, "Connections to backends.", &self.backend_connections_opened),
            ("backend_connections_reused_total", C, "Reused connections.", &self.backend_connections_reused),
            ("backend_retries_total", C, "Requests sent again after a stale connection.", &self.backend_retries),
            ("heartbeats_answered_total", C, "Heartbeats with a signed verdict.", &self.heartbeats_answered),
            ("heartbeats_silent_total", C, "Heartbeats without a signed verdict.", &self.heartbeats_silent),
            ("dashboard_silence_seconds", G, "Seconds since the last signed answer.", &self.silence_seconds),
            ("serving", G, "1 while visitors' ports are open.", &self.serving),
            ("open_ports", G, "Open ports.", &self.open_ports),
            ("configs_applied_total", C, "Applied configurations.", &self.configs_applied),
            ("configs_rejected_total", C, "Rejected configurations.", &self.configs_rejected),
            ("management_requests_total", C, "Requests to the management API.", &self.management_requests),
            ("management_refused_total", C, "Management requests without the secret.", &self.management_refused),
            (
                "management_connections_refused_total",
                C,
                "Management connections refused.",
                &self.management_connections_refused,
            ),
            ("management_listening", G, "1 while the management API listens.", &self.management_listening),
            (
                "management_open_failures_total",
                C,
                "Failed starts of the management API.",
                &self.management_open_failures,
            ),
            ("key_handovers_total", C, "License keys taken over from the dashboard.", &self.key_handovers),
            ("log_lines_dropped_total", C, "Log lines dropped.", &self.log_lines_dropped),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_rendered_once() {
        let metrics = Metrics::default();
        metrics.requests.add(7);
        metrics.connections.increment();
        metrics.connections.decrement();
        let text = metrics.render();
        assert!(text.contains("\nproxima_gateway_requests_total 7\n"), "{text}");
        assert!(text.contains("\nproxima_gateway_connections 0\n"), "{text}");
        let names: std::collections::BTreeSet<_> = metrics.rows().iter().map(|row| row.0).collect();
        assert_eq!(names.len(), metrics.rows().len());
    }
}
