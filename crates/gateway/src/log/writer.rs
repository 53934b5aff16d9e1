//! The thread that writes log lines.

use crate::metrics::Metrics;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;
use tracing_subscriber::fmt::MakeWriter;

/// Lines that may wait.
const QUEUE: usize = 8192;
/// How long the last lines may take when the process ends.
const FLUSH: Duration = Duration::from_secs(2);

/// Where lines are queued.
#[derive(Clone)]
pub struct LogSink {
    lines: SyncSender<Vec<u8>>,
    metrics: Arc<Metrics>,
}

/// Writes what still waits when dropped, for at most 2 s.
pub struct LogGuard {
    finish: Option<SyncSender<()>>,
    finished: Receiver<()>,
}

impl Drop for LogGuard {
    fn drop(&mut self) {
        drop(self.finish.take());
        let _ = self.finished.recv_timeout(FLUSH);
    }
}

pub(super) fn start(mut output: impl Write + Send + 'static, metrics: Arc<Metrics>) -> io::Result<(LogSink, LogGuard)> {
    let (lines, queue) = sync_channel::<Vec<u8>>(QUEUE);
    let (finish, finishing) = sync_channel::<()>(0);
    let (done, finished) = sync_channel::<()>(1);
    std::thread::Builder::new().name("log".to_owned()).spawn(move || {
        loop {
            match queue.recv_timeout(Duration::from_millis(200)) {
                Ok(line) => {
                    let _ = output.write_all(&line);
                    for line in queue.try_iter() {
                        let _ = output.write_all(&line);
                    }
                    let _ = output.flush();
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if let Err(std::sync::mpsc::TryRecvError::Disconnected) = finishing.try_recv() {
                for line in queue.try_iter() {
                    let _ = output.write_all(&line);
                }
                let _ = output.flush();
                break;
            }
        }
        let _ = done.send(());
    })?;
    Ok((LogSink { lines, metrics }, LogGuard { finish: Some(finish), finished }))
}

impl<'a> MakeWriter<'a> for LogSink {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

impl LogSink {
    /// Queues so many whole lines, or drops and counts them.
    pub fn send(&self, text: Vec<u8>, lines: u64) {
        if self.lines.try_send(text).is_err() {
            self.metrics.log_lines_dropped.add(lines);
        }
    }
}

impl Write for &LogSink {
    /// `tracing-subscriber` writes each event by one call.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.send(line.to_vec(), 1);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    /// A reader that takes nothing until it is released.
    struct Stuck(Arc<Mutex<Vec<u8>>>);

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().map_err(|_| io::ErrorKind::Other)?.extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_stuck_reader_costs_lines_not_time() {
        let output = Arc::new(Mutex::new(Vec::new()));
        let metrics = Arc::new(Metrics::default());
        let held = output.lock().expect("free");
        let (writer, guard) = start(Stuck(Arc::clone(&output)), Arc::clone(&metrics)).expect("starts");
        for _ in 0..QUEUE + 100 {
            let _ = (&writer).write(b"line\n");
        }
        assert!(metrics.log_lines_dropped.get() >= 99, "{}", metrics.log_lines_dropped.get());
        drop(held);
        drop(guard);
        let written = output.lock().expect("free").len();
        assert!(written >= QUEUE * 5, "{written}");
    }
}
