//! A gateway host's disk: a directory whose renames are lost by a power cut until they are synced, which can be full,
//! read-only or damaged, and in the middle of whose work a process or the power can end.

use crate::world::Shared;
use proxima_gateway::agent::store::Disk;
use rand::Rng as _;
use rand::rngs::StdRng;
use std::collections::BTreeMap;
use std::io::{Error, ErrorKind, Result};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    Good,
    Full,
    ReadOnly,
}

#[derive(Debug, Clone)]
enum Entry {
    Put(String, Vec<u8>),
    Rename(String, String),
}

type Files = BTreeMap<String, Vec<u8>>;

/// The state of a disk.
#[derive(Debug, Clone)]
pub struct Platter {
    live: Files,
    durable: Files,
    /// Entries of the directory that no sync has made durable.
    unsynced: Vec<Entry>,
    pub health: Health,
    /// The process dies at the operation after so many more.
    pub dies_in: Option<u32>,
    /// Whole contents that were written of `verdict.json`: what is not among them is damaged.
    whole: Vec<Vec<u8>>,
}

impl Default for Platter {
    fn default() -> Self {
        let empty = Files::new();
        Self {
            live: empty.clone(),
            durable: empty,
            unsynced: Vec::new(),
            health: Health::Good,
            dies_in: None,
            whole: Vec::new(),
        }
    }
}

fn enter(files: &mut Files, entry: Entry) {
    match entry {
        Entry::Put(name, bytes) => {
            files.insert(name, bytes);
        }
        Entry::Rename(from, to) => {
            if let Some(bytes) = files.remove(&from) {
                files.insert(to, bytes);
            }
        }
    }
}

impl Platter {
    #[must_use]
    pub fn read(&self, name: &str) -> Option<&Vec<u8>> {
        self.live.get(name)
    }

    /// The nonce of the stored verdict, when the file is as it was written.
    #[must_use]
    pub fn stored_nonce(&self) -> Option<String> {
        let bytes = self.read("verdict.json").filter(|bytes| self.whole.contains(bytes))?;
        let stored: serde_json::Value = serde_json::from_slice(bytes).ok()?;
        stored["nonce"].as_str().map(str::to_owned)
    }

    /// The power fails: of what was not synced an arbitrary beginning remains.
    pub fn lose_power(&mut self, rng: &mut StdRng) {
        let kept = rng.random_range(0..=self.unsynced.len());
        for entry in self.unsynced.drain(..).take(kept).collect::<Vec<_>>() {
            enter(&mut self.durable, entry);
        }
        self.live = self.durable.clone();
    }

    /// One file rots: cut, zeroed, or a bit of it turned.
    pub fn damage(&mut self, rng: &mut StdRng) {
        let names: Vec<String> = self.live.keys().cloned().collect();
        if names.is_empty() {
            return;
        }
        let name = &names[rng.random_range(0..names.len())];
        let Some(mut bytes) = self.live.get(name).cloned().filter(|bytes| !bytes.is_empty()) else { return };
        let at = rng.random_range(0..bytes.len());
        match rng.random_range(0..3) {
            0 => bytes.truncate(at),
            1 => bytes[at..].fill(0),
            _ => bytes[at] ^= 1 << rng.random_range(0..8),
        }
        self.unsynced.clear();
        self.live.insert(name.clone(), bytes);
        self.durable = self.live.clone();
    }

    fn write(&mut self, name: &str, bytes: &[u8], dies: bool, cut: usize) -> Result<()> {
        let part = || bytes[..cut.min(bytes.len())].to_vec();
        match self.health {
            Health::ReadOnly => return Err(Error::from(ErrorKind::ReadOnlyFilesystem)),
            Health::Full => {
                enter(&mut self.live, Entry::Put(name.to_owned(), part()));
                self.unsynced.push(Entry::Put(name.to_owned(), part()));
                return Err(Error::from(ErrorKind::StorageFull));
            }
            Health::Good => {}
        }
        let written = if dies { part() } else { bytes.to_vec() };
        if name == ".verdict.json.tmp" && !dies {
            self.whole.push(written.clone());
            if self.whole.len() > 8 {
                self.whole.remove(0);
            }
        }
        enter(&mut self.live, Entry::Put(name.to_owned(), written.clone()));
        self.unsynced.push(Entry::Put(name.to_owned(), written));
        Ok(())
    }
}

/// A process's view of its host's disk. What has died does nothing more.
pub struct HostDisk {
    pub shared: Shared,
    pub gateway: usize,
    /// Of the process.
    pub life: u64,
}

impl std::fmt::Debug for HostDisk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "disk of gateway {}", self.gateway)
    }
}

impl HostDisk {
    /// Runs one operation, unless the process has died; `true` when it dies in the middle of it.
    fn operate<T>(&self, operation: impl FnOnce(&mut Platter, bool, usize) -> Result<T>) -> Result<T> {
        let mut world = self.shared.lock();
        let cut = world.rng.random_range(0..4096);
        let host = &mut world.hosts[self.gateway];
        if host.life != self.life || host.dead {
            return Err(Error::other("the process has died"));
        }
        let dies = host.disk.dies_in == Some(0);
        host.disk.dies_in = host.disk.dies_in.and_then(|left| left.checked_sub(1));
        let done = operation(&mut host.disk, dies, cut);
        if dies {
            host.dead = true;
            host.death.notify_one();
            return Err(Error::other("the process dies"));
        }
        done
    }
}

impl Disk for HostDisk {
    fn read(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let world = self.shared.lock();
        if world.mutation == crate::Mutation::StoredAnswerForgotten && name == "verdict.json" {
            return Ok(None);
        }
        Ok(world.hosts[self.gateway].disk.read(name).cloned())
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        self.operate(|disk, dies, cut| disk.write(name, bytes, dies, cut))
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        self.operate(|disk, _, _| {
            if disk.health == Health::ReadOnly {
                return Err(Error::from(ErrorKind::ReadOnlyFilesystem));
            }
            let entry = Entry::Rename(from.to_owned(), to.to_owned());
            enter(&mut disk.live, entry.clone());
            disk.unsynced.push(entry);
            Ok(())
        })
    }

    fn sync(&self) -> Result<()> {
        self.operate(|disk, dies, _| {
            if !dies {
                for entry in std::mem::take(&mut disk.unsynced) {
                    enter(&mut disk.durable, entry);
                }
            }
            Ok(())
        })
    }
}
