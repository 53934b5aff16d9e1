//! The agent: heartbeats, judges the answers, and opens, keeps or ends service (product.md
//! section 4).
//!
//! It lives on a thread and runtime of its own, so that neither a slow disk nor a slow dashboard
//! can touch a visitor's request (invariant 2). What it decides: [`judge`] (which answer counts),
//! [`silence`] (how long the last one carries), [`schedule`] (when to ask again), [`config`]
//! (what to serve). What it remembers: [`store`], [`stored`].

pub mod client;
pub mod config;
mod host;
pub mod judge;
mod keys;
mod report;
pub mod schedule;
pub mod silence;
pub mod store;
pub mod stored;
mod trust;

use crate::clock::Clock;
use crate::listen::Listeners;
use crate::manage::desk::Desk;
use crate::metrics::Metrics;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use client::{Attempt, Transport};
use config::Configs;
use judge::{HttpOutcome, Judge, Silence, StopReason, Terms, Verdict};
use keys::{Keys, Taken};
use proxima_signing::Expected;
use proxima_types::LicenseKey;
use proxima_types::heartbeat::{HeartbeatRequest, HostFacts, Phase};
use proxima_types::identity::GatewayIdentity;
use proxima_types::manage::NudgeOutcome;
use rand::Rng as _;
use rand::rngs::StdRng;
use report::{Heard, Reporter};
use schedule::Schedule;
use silence::{Mark, SilenceClock};
use std::sync::Arc;
use std::time::Duration;
use store::StateDir;
use stored::{StoredMark, StoredVerdict};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use trust::Trust;
use uuid::Uuid;

/// How often the agent looks after what is not a heartbeat.
const TICK: Duration = Duration::from_millis(500);
/// How often the high-water mark is saved; section 4 wants it within a minute.
const SAVE_MARK: Duration = Duration::from_secs(30);
/// How often a port that could not be opened is tried again.
const RETRY_PORTS: Duration = Duration::from_secs(5);
/// From one heartbeat's beginning to that of the next that a nudge asked for, at the least.
const NUDGE_GAP: Duration = Duration::from_secs(1);

/// Everything that an agent is given.
pub struct Equipment {
    pub identity: GatewayIdentity,
    pub clock: Arc<dyn Clock>,
    pub transport: Box<dyn Transport>,
    /// [`judge::judge`]; a test of the tests gives a wrong one.
    pub judge: Judge,
    /// A CSPRNG: nonces come from it.
    pub rng: StdRng,
    pub state: StateDir,
    pub listeners: Listeners,
    pub metrics: Arc<Metrics>,
    pub desk: Arc<Desk>,
    /// How long a start waits for a signed answer before it looks at the stored one.
    pub start_timeout: Duration,
}

/// One request of a heartbeat, and what it came to.
struct Asked {
    key: LicenseKey,
    attempt: Attempt,
    verdict: Verdict,
}

pub struct Agent {
    identity: GatewayIdentity,
    clock: Arc<dyn Clock>,
    rng: StdRng,
    state: StateDir,
    listeners: Listeners,
    metrics: Arc<Metrics>,
    desk: Arc<Desk>,
    transport: Box<dyn Transport>,
    judge: Judge,
    keys: Keys,
    trust: Trust,
    schedule: Schedule,
    configs: Configs,
    host: HostFacts,
    boot_id: Uuid,
    sequence: u64,
    started: Instant,
    start_timeout: Duration,
    /// Whether visitors may be served.
    gate_open: bool,
    /// The stored verdict is looked at once.
    stored_tried: bool,
    /// Since the last signed answer, with its nonce.
    silence: Option<(String, SilenceClock)>,
    /// There is news for the dashboard.
    beat_now: bool,
    mark_saved: Instant,
    ports_tried: Instant,
    reporter: Reporter,
}

impl Agent {
    #[must_use]
    pub fn new(mut given: Equipment) -> Self {
        let now = Instant::now();
        let boot_id = uuid::Builder::from_random_bytes(given.rng.random()).into_uuid();
        let reporter = Reporter::new(&given.identity, boot_id, &given.clock.read(), Arc::clone(&given.metrics));
        let trust = Trust::load(&given.state, &given.identity);
        Self {
            transport: given.transport,
            judge: given.judge,
            keys: Keys::load(&given.state, &given.identity, trust.ever()),
            trust,
            schedule: Schedule::default(),
            configs: Configs::load(&given.state, &given.identity),
            host: host::host_facts(),
            boot_id,
            sequence: 0,
            started: now,
            start_timeout: given.start_timeout,
            gate_open: false,
            stored_tried: false,
            silence: None,
            beat_now: false,
            mark_saved: now,
            ports_tried: now,
            reporter,
            identity: given.identity,
            clock: given.clock,
            rng: given.rng,
            state: given.state,
            listeners: given.listeners,
            metrics: given.metrics,
            desk: given.desk,
        }
    }

    /// Beats until a verdict ends service, or `stop`. Returns the verdict's reason; the caller
    /// ends the process.
    pub async fn run(&mut self, stop: &CancellationToken) -> Option<StopReason> {
        let ended = tokio::select! {
            biased;
            reason = self.beat_for_ever() => Some(reason),
            () = stop.cancelled() => None,
        };
        self.save_mark();
        ended
    }

    /// Leaves a last status behind. A drain may be under way.
    pub fn leave_status(&mut self, why: &str) {
        let status = self.status(Some(why.to_owned()));
        self.state.save(store::STATUS_FILE, &status);
    }

    async fn beat_for_ever(&mut self) -> StopReason {
        self.write_status();
        loop {
            self.beat_now = false;
            let begun = Instant::now();
            self.desk.beat_begins();
            let pause = match self.beat().await {
                Ok(pause) => pause,
                Err(reason) => {
                    self.desk.beat_ended(NudgeOutcome::Stopping, None);
                    return reason;
                }
            };
            self.write_status();
            let silence = self.reporter.silence();
            let outcome = if silence.is_none() { NudgeOutcome::Answered } else { NudgeOutcome::Silent };
            self.desk.beat_ended(outcome, silence);
            if !self.beat_now
                && let Err(reason) = self.rest(begun, pause).await
            {
                return reason;
            }
        }
    }

    /// One heartbeat; the pause until the next. With a key that was handed over and is not
    /// answered, the key before is asked with, too (docs/heartbeat.md, "Rotation").
    async fn beat(&mut self) -> Result<Duration, StopReason> {
        let newest = self.keys.current().clone();
        let first = self.ask(newest).await?;
        let Some(previous) = self.keys.fallback(&first.verdict) else { return self.take(first).await };
        let second = self.ask(previous).await?;
        match second.verdict {
            Verdict::Serve(_) | Verdict::Stop(StopReason::Expired) => self.take(second).await,
            Verdict::Stop(StopReason::KeyRetired { .. }) => {
                self.keys.previous_is_retired();
                self.take(first).await
            }
            Verdict::Stop(StopReason::SilenceLimit) | Verdict::Silence(_) => self.take(first).await,
        }
    }

    /// Sends one request with this key, and judges what it came to.
    async fn ask(&mut self, key: LicenseKey) -> Result<Asked, StopReason> {
        let (nonce, request) = self.next_request();
        let attempt = client::attempt(self.transport.as_mut(), nonce, &key, &request);
        let attempt = self.attend(attempt).await?;
        let expected = Expected { nonce: &attempt.nonce, key_digest: key.digest(), server_id: self.identity.server_id };
        let verdict = (self.judge)(&attempt.outcome, self.trust.current(), expected);
        Ok(Asked { key, attempt, verdict })
    }

    /// Waits for the next heartbeat, for news, or for a nudge.
    async fn rest(&mut self, begun: Instant, pause: Duration) -> Result<(), StopReason> {
        let desk = Arc::clone(&self.desk);
        let mut end = Instant::now() + pause;
        while !self.beat_now && Instant::now() < end {
            let nap = TICK.min(end.saturating_duration_since(Instant::now()));
            tokio::select! {
                biased;
                () = desk.nudged() => end = end.min(begun + NUDGE_GAP),
                () = tokio::time::sleep(nap) => {}
            }
            self.look_after().await?;
        }
        Ok(())
    }

    /// Waits for `attempt` without neglecting the rest.
    async fn attend(&mut self, attempt: impl Future<Output = Attempt>) -> Result<Attempt, StopReason> {
        tokio::pin!(attempt);
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                attempt = &mut attempt => return Ok(attempt),
                _ = tick.tick() => self.look_after().await?,
            }
        }
    }

    fn next_request(&mut self) -> (String, HeartbeatRequest) {
        let nonce = URL_SAFE_NO_PAD.encode(self.rng.random::<[u8; 24]>());
        self.sequence += 1;
        let request = HeartbeatRequest {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            install_id: self.identity.install_id,
            boot_id: self.boot_id,
            sequence: self.sequence,
            phase: self.phase(),
            uptime_seconds: self.started.elapsed().as_secs(),
            applied_config: self.configs.applied(),
            rejected_config: self.configs.rejected().cloned(),
            host: self.host.clone(),
            counters: self.metrics.counters(),
            trusted_keys: Some(self.trust.ids()),
        };
        (nonce, request)
    }

    /// Serving: the gate is open, and so is a port, if there is one to open.
    fn phase(&self) -> Phase {
        let ports = !self.listeners.ports().is_empty() || !self.configs.wants_ports();
        if self.gate_open && ports { Phase::Serving } else { Phase::Starting }
    }

    /// Acts on one heartbeat's outcome; the pause until the next, or the end.
    async fn take(&mut self, asked: Asked) -> Result<Duration, StopReason> {
        let Asked { key, attempt, verdict } = asked;
        match verdict {
            Verdict::Serve(terms) => {
                self.remember(&attempt);
                self.take_over(&key, &attempt);
                let pause = self.schedule.after_answer(terms.next_heartbeat_seconds, &mut self.rng);
                self.serve(attempt.nonce, terms).await;
                Ok(pause)
            }
            Verdict::Stop(reason) => {
                self.remember(&attempt);
                if reason == StopReason::Expired {
                    self.take_over(&key, &attempt);
                    self.reporter.answered(Heard::expired(), self.clock.read().wall);
                }
                self.metrics.heartbeats_answered.increment();
                Err(reason)
            }
            Verdict::Silence(why) => {
                let pause = self.schedule.after_silence(attempt.retry_after, &mut self.rng);
                self.heard_nothing(&why);
                Ok(pause)
            }
        }
    }

    /// A signed verdict replaces the stored one, whatever it says.
    fn remember(&self, attempt: &Attempt) {
        if let Some(stored) = self.stored(attempt) {
            stored.save(&self.state);
        }
    }

    fn stored(&self, attempt: &Attempt) -> Option<StoredVerdict> {
        let HttpOutcome::Answer(answer) = &attempt.outcome else { return None };
        Some(StoredVerdict::new(&attempt.nonce, answer, self.identity.install_id, self.clock.read()))
    }

    /// Notes that the dashboard answers `key`, and takes the key that its answer may hand over.
    /// The next heartbeat carries it.
    fn take_over(&mut self, key: &LicenseKey, attempt: &Attempt) {
        self.keys.answered(key);
        let HttpOutcome::Answer(answer) = &attempt.outcome else { return };
        self.follow(attempt, &answer.body);
        let (Some(offered), Some(evidence)) = (keys::offered(&answer.body), self.stored(attempt)) else { return };
        let taken = offered.and_then(|next| self.keys.take(key, next, evidence, &self.state));
        match taken {
            Ok(Taken::New) => {
                self.metrics.key_handovers.increment();
                tracing::info!(key = self.keys.status().masked, "the dashboard handed over a new license key");
            }
            Ok(Taken::Known) => {}
            Err(why) => tracing::warn!(why, "a handed-over license key is not taken; the present one stays"),
        }
    }

    /// Takes the signing keys that an answer may name. The next heartbeat tells the dashboard.
    fn follow(&mut self, attempt: &Attempt, body: &[u8]) {
        let (Some(named), Some(evidence)) = (trust::named_by(body), self.stored(attempt)) else { return };
        match named.and_then(|keys| self.trust.take(keys, evidence, &self.identity, &self.state)) {
            Ok(true) => tracing::info!(trusted = ?self.trust.ids(), "the dashboard named its signing keys anew"),
            Ok(false) => {}
            Err(why) => tracing::warn!(why, "the dashboard's new signing keys are not taken; the present ones stay"),
        }
    }

    async fn serve(&mut self, nonce: String, mut terms: Terms) {
        self.metrics.heartbeats_answered.increment();
        let offered = terms.config.take();
        let clock = SilenceClock::new(&terms, Mark::fresh(self.clock.read()));
        self.reporter.answered(Heard::of(&terms), clock.mark.at.wall);
        self.silence = Some((nonce, clock));
        self.stored_tried = true;
        let opening = !self.gate_open;
        self.gate_open = true;
        let mut news = opening;
        if let Some(offered) = offered {
            news |= self.configs.offer(offered, self.identity.server_id, &mut self.listeners, &self.state).await;
        }
        if opening {
            self.open_ports("a signed answer").await;
        }
        self.beat_now |= news;
    }

    async fn open_ports(&mut self, because: &str) {
        self.configs.open(&mut self.listeners).await;
        self.metrics.serving.set(1);
        self.beat_now = true;
        tracing::info!(because, ports = ?self.listeners.ports(), "serving");
    }

    fn heard_nothing(&mut self, why: &Silence) {
        self.metrics.heartbeats_silent.increment();
        self.reporter.silent(why, self.gate_open, self.schedule.failures());
    }

    /// What must not wait for the dashboard.
    async fn look_after(&mut self) -> Result<(), StopReason> {
        let now = self.clock.read();
        if let Some((_, clock)) = &self.silence {
            self.metrics.silence_seconds.set(clock.mark.elapsed(&now).as_secs());
            if self.gate_open && clock.is_over(&now) {
                return Err(StopReason::SilenceLimit);
            }
        }
        if !self.stored_tried && self.started.elapsed() >= self.start_timeout {
            self.stored_tried = true;
            self.start_from_stored().await;
        }
        if self.mark_saved.elapsed() >= SAVE_MARK {
            self.save_mark();
        }
        if self.gate_open && self.ports_tried.elapsed() >= RETRY_PORTS {
            self.ports_tried = Instant::now();
            self.beat_now |= self.configs.retry(&mut self.listeners, &self.state).await;
        }
        if self.reporter.is_due() || self.beat_now || self.reporter.is_stale(&self.desk.management()) {
            self.write_status();
        }
        Ok(())
    }

    /// The window of a start has passed without a signed answer: a stored one may do.
    async fn start_from_stored(&mut self) {
        let now = self.clock.read();
        match self.stored_terms(&now) {
            Ok((nonce, terms, clock)) => {
                self.reporter.stored(Heard::of(&terms), now.wall);
                self.silence = Some((nonce, clock));
                self.gate_open = true;
                self.open_ports("the stored answer: the dashboard is silent").await;
            }
            Err(why) => tracing::warn!(why, "ports stay closed until the dashboard answers"),
        }
    }

    fn stored_terms(&self, now: &crate::clock::Reading) -> Result<(String, Terms, SilenceClock), String> {
        let stored = StoredVerdict::load(&self.state).ok_or("there is no stored answer")?;
        let terms = match stored.judge_again(&self.identity, self.trust.current(), self.keys.both())? {
            Verdict::Serve(terms) => terms,
            Verdict::Stop(reason) => return Err(format!("the stored answer ended service: {reason}")),
            Verdict::Silence(why) => return Err(format!("the stored answer does not verify: {why}")),
        };
        let clock = SilenceClock::new(&terms, StoredMark::load(&self.state, &stored, now));
        if clock.is_over(now) {
            return Err(StopReason::SilenceLimit.to_string());
        }
        Ok((stored.nonce, terms, clock))
    }

    fn save_mark(&mut self) {
        self.mark_saved = Instant::now();
        if let Some((nonce, clock)) = &mut self.silence {
            clock.mark = clock.mark.advanced(self.clock.read());
            StoredMark { nonce: nonce.clone(), mark: clock.mark.clone() }.save(&self.state);
        }
    }
}
