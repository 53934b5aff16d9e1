//! Cuts a stream of bytes into clean, redacted lines, with a bound on all of it.

use super::{Redactor, clean};

/// Bounds on one stream of a command.
#[derive(Debug, Clone, Copy)]
pub struct LineLimits {
    /// Bytes of the whole stream.
    pub bytes: usize,
    /// Lines of the whole stream.
    pub lines: usize,
    /// Characters of one line; the rest of a longer line is dropped.
    pub line_chars: usize,
}

impl Default for LineLimits {
    fn default() -> Self {
        Self { bytes: 256 * 1024, lines: 2000, line_chars: 1000 }
    }
}

/// Bytes of an unfinished line that are kept.
const LINE_BYTES_MAX: usize = 16 * 1024;

/// The stream said more than its bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overflow;

/// Collects bytes, gives out lines.
#[derive(Debug)]
pub struct Lines {
    limits: LineLimits,
    redactor: Redactor,
    unfinished: Vec<u8>,
    bytes: usize,
    lines: usize,
}

impl Lines {
    #[must_use]
    pub fn new(limits: LineLimits, redactor: Redactor) -> Self {
        Self { limits, redactor, unfinished: Vec::new(), bytes: 0, lines: 0 }
    }

    /// The lines that `data` finishes. Empty lines are dropped.
    ///
    /// # Errors
    /// [`Overflow`] once a bound is exceeded.
    pub fn push(&mut self, data: &[u8]) -> Result<Vec<String>, Overflow> {
        self.bytes = self.bytes.saturating_add(data.len());
        if self.bytes > self.limits.bytes {
            return Err(Overflow);
        }
        let mut finished = Vec::new();
        for part in data.split_inclusive(|byte| *byte == b'\n' || *byte == b'\r') {
            let room = LINE_BYTES_MAX.saturating_sub(self.unfinished.len());
            self.unfinished.extend(part.iter().take(room));
            if matches!(part.last(), Some(b'\n' | b'\r')) {
                finished.extend(self.take_line());
                if self.lines > self.limits.lines {
                    return Err(Overflow);
                }
            }
        }
        Ok(finished)
    }

    /// What stands after the last newline.
    pub fn finish(&mut self) -> Option<String> {
        self.take_line()
    }

    fn take_line(&mut self) -> Option<String> {
        let raw = std::mem::take(&mut self.unfinished);
        // Redacted before it is shortened: half a secret at the end would not be recognised.
        let line = self.redactor.redact(&clean(&raw, LINE_BYTES_MAX));
        let line = clean(line.as_bytes(), self.limits.line_chars);
        if line.trim().is_empty() {
            return None;
        }
        self.lines += 1;
        Some(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::SecretString;

    fn lines(limits: LineLimits) -> Lines {
        Lines::new(limits, Redactor::new(&[SecretString::from("hunter2")]))
    }

    #[test]
    fn lines_come_whole_clean_and_redacted() {
        let mut lines = lines(LineLimits::default());
        assert_eq!(lines.push(b"one\ntw").unwrap(), ["one"]);
        assert_eq!(lines.push(b"o hun").unwrap(), [""; 0]);
        assert_eq!(lines.push(b"ter2\r\n\n\x1b[1mthree").unwrap(), ["two [hidden]"]);
        assert_eq!(lines.finish().as_deref(), Some("three"));
        assert_eq!(lines.finish(), None);
    }

    #[test]
    fn a_secret_across_the_cut_is_not_half_shown() {
        let mut lines = lines(LineLimits { line_chars: 8, ..LineLimits::default() });
        assert_eq!(lines.push(b"pass hunter2\n").unwrap(), ["pass [h…"]);
    }

    #[test]
    fn bytes_lines_and_length_are_bounded() {
        let limits = LineLimits { bytes: 100, lines: 3, line_chars: 5 };
        assert_eq!(lines(limits).push(&[b'x'; 101]), Err(Overflow));
        assert_eq!(lines(limits).push(b"1\n2\n3\n4\n"), Err(Overflow));
        assert_eq!(lines(limits).push(b"123456789\n").unwrap(), ["1234…"]);
        let mut endless = lines(LineLimits { bytes: usize::MAX, ..limits });
        endless.push(&vec![b'x'; 1_000_000]).unwrap();
        assert!(endless.unfinished.len() <= LINE_BYTES_MAX);
    }
}
