//! Bytes that were read and are not yet used up.

use std::cell::RefCell;

/// What a read may bring at least, in bytes.
const ROOM: usize = 16 * 1024;
/// Buffers that a worker keeps for the next connection, at most.
const KEPT: usize = 256;
/// A longer one is not kept.
const LONGEST_KEPT: usize = 64 * 1024;

#[derive(Debug, Default)]
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    start: usize,
}

impl Buffer {
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    pub fn is_empty(&self) -> bool {
        self.start == self.bytes.len()
    }

    /// These are used up.
    pub fn take(&mut self, count: usize) {
        self.start += count.min(self.bytes.len() - self.start);
        if self.is_empty() {
            self.clear();
        }
    }

    pub fn clear(&mut self) {
        self.bytes.clear();
        self.start = 0;
    }

    /// Where a read puts what comes, with room for at least [`ROOM`] bytes.
    pub fn tail(&mut self) -> &mut Vec<u8> {
        if self.bytes.capacity() - self.bytes.len() < ROOM {
            self.bytes.drain(..self.start);
            self.start = 0;
            self.bytes.reserve(ROOM);
        }
        &mut self.bytes
    }
}

/// A worker's buffers that nobody uses: a connection at rest has none.
#[derive(Debug, Default)]
pub(crate) struct Buffers(RefCell<Vec<Buffer>>);

impl Buffers {
    pub fn get(&self) -> Buffer {
        self.0.borrow_mut().pop().unwrap_or_default()
    }

    pub fn put(&self, mut buffer: Buffer) {
        buffer.clear();
        let mut kept = self.0.borrow_mut();
        if kept.len() < KEPT && buffer.bytes.capacity() <= LONGEST_KEPT {
            kept.push(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_up_makes_room() {
        let mut buffer = Buffer::default();
        buffer.tail().extend_from_slice(&[7; ROOM]);
        buffer.take(ROOM - 2);
        assert_eq!(buffer.bytes(), [7, 7]);
        assert!(buffer.tail().capacity() >= ROOM + 2);
        assert_eq!((buffer.bytes(), buffer.start), (&[7, 7][..], 0));
        buffer.take(99);
        assert!(buffer.is_empty() && buffer.start == 0);
    }

    #[test]
    fn buffers_are_used_again_empty_unless_they_grew() {
        let buffers = Buffers::default();
        let mut buffer = buffers.get();
        buffer.tail().push(1);
        buffers.put(buffer);
        assert!(buffers.get().is_empty() && buffers.0.borrow().is_empty());
        let mut long = Buffer::default();
        long.bytes.reserve(LONGEST_KEPT + 1);
        buffers.put(long);
        assert!(buffers.0.borrow().is_empty());
    }
}
