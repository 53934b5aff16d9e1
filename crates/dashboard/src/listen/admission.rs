//! How many connections there are: in all, and of each address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

pub(super) struct Admission {
    port: &'static str,
    slots: Arc<Semaphore>,
    most: usize,
    of_address_most: usize,
    /// Never more entries than connections.
    of_address: Mutex<HashMap<IpAddr, usize>>,
    crowded: watch::Sender<bool>,
}

/// A place for a connection that is not there yet.
pub(super) struct Slot {
    _permit: OwnedSemaphorePermit,
}

/// A connection's place; freed when dropped.
pub(super) struct Admitted {
    admission: Arc<Admission>,
    address: Option<IpAddr>,
    _slot: Slot,
}

impl Admission {
    pub(super) fn new(port: &'static str, most: usize, of_address_most: usize) -> Arc<Self> {
        let most = most.clamp(1, Semaphore::MAX_PERMITS);
        Arc::new(Self {
            port,
            slots: Arc::new(Semaphore::new(most)),
            most,
            of_address_most,
            of_address: Mutex::default(),
            crowded: watch::Sender::new(false),
        })
    }

    /// Waits for a place. Meanwhile those who ask wait in the kernel's queue.
    pub(super) async fn slot(self: &Arc<Self>) -> Slot {
        loop {
            let slot = Arc::clone(&self.slots).acquire_owned().await;
            let crowded = self.slots.available_permits() < self.most / 10;
            self.crowded.send_if_modified(|before| std::mem::replace(before, crowded) != crowded);
            if let Ok(permit) = slot {
                return Slot { _permit: permit };
            }
        }
    }

    /// Whether more than nine tenths of the places are taken.
    pub(super) fn crowded(&self) -> watch::Receiver<bool> {
        self.crowded.subscribe()
    }

    /// Counts a connection; none when its address has too many already.
    pub(super) fn admit(self: &Arc<Self>, slot: Slot, address: Option<IpAddr>) -> Option<Admitted> {
        let address = address.map(network);
        if let Some(address) = address {
            let mut counts = self.of_address.lock().unwrap_or_else(PoisonError::into_inner);
            let count = counts.entry(address).or_default();
            if *count >= self.of_address_most {
                self.refused("address");
                return None;
            }
            *count += 1;
        }
        metrics::gauge!("proxima_connections", "port" => self.port).increment(1);
        Some(Admitted { admission: Arc::clone(self), address, _slot: slot })
    }

    pub(super) fn refused(&self, reason: &'static str) {
        metrics::counter!("proxima_connections_refused_total", "port" => self.port, "reason" => reason).increment(1);
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        metrics::gauge!("proxima_connections", "port" => self.admission.port).decrement(1);
        let Some(address) = self.address else { return };
        let mut counts = self.admission.of_address.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&address);
            }
        }
    }
}

/// What one person commonly has: an IPv4 address, or a /64 of IPv6.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) & !u128::from(u64::MAX)).into()),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_has_its_share_and_gets_it_back() {
        let admission = Admission::new("test", 10, 2);
        let address = |text: &str| Some(text.parse().expect("an address"));
        let first = admission.admit(admission.slot().await, address("2001:db8::1")).expect("room");
        let _second = admission.admit(admission.slot().await, address("2001:db8::2")).expect("room");
        assert!(admission.admit(admission.slot().await, address("2001:db8::3")).is_none(), "the same /64");
        assert!(admission.admit(admission.slot().await, address("2001:db8:0:1::3")).is_some());
        assert!(admission.admit(admission.slot().await, address("::ffff:192.0.2.1")).is_some());
        drop(first);
        assert!(admission.admit(admission.slot().await, address("2001:db8::3")).is_some());
        assert_eq!(admission.of_address.lock().expect("whole").len(), 1, "what is gone is forgotten");
        assert_eq!(admission.slots.available_permits(), 9, "and its place is free");
    }

    #[tokio::test]
    async fn a_port_is_crowded_when_nine_tenths_are_taken() {
        let admission = Admission::new("test", 20, 20);
        let mut taken = Vec::new();
        for count in 1..=19 {
            taken.push(admission.slot().await);
            assert_eq!(*admission.crowded().borrow(), count > 18, "{count}");
        }
        taken.truncate(5);
        taken.push(admission.slot().await);
        assert!(!*admission.crowded().borrow());
    }
}
