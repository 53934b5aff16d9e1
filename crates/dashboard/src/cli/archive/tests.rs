use super::*;
use crate::entropy::{EntropyExt as _, OsEntropy};

struct Temporary(std::path::PathBuf);

impl Temporary {
    fn with(dump: &[u8]) -> Self {
        let path = std::env::temp_dir().join(format!("backup-{}", OsEntropy.uuid()));
        let file = File::create(&path).expect("a file");
        write(file, &mut &*dump, manifest).expect("written");
        Self(path)
    }

    fn open(&self) -> File {
        File::open(&self.0).expect("it is there")
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn manifest(dump_bytes: u64, sha256: String) -> Manifest {
    Manifest {
        format: 1,
        version: "0.1.0".to_owned(),
        taken_at: DateTime::from_timestamp(1_800_000_000, 0).expect("in range"),
        postgres: 150_000,
        migration: 16,
        audit_id: 7,
        audit_hash: "00".to_owned(),
        users: 1,
        servers: 2,
        dump_bytes,
        sha256,
    }
}

#[test]
fn a_backup_reads_back_whatever_its_length() {
    for length in [0_usize, 1, 511, 512, 513, 100_000] {
        let dump: Vec<u8> = (0..length).map(|index| u8::try_from(index % 251).expect("small")).collect();
        let file = Temporary::with(&dump);
        let mut output = Vec::new();
        let manifest = read(&file.open(), &mut output).expect("read");
        assert_eq!((output, manifest.dump_bytes, manifest.audit_id), (dump, length as u64, 7));
        assert_eq!(std::fs::metadata(&file.0).expect("there").len() % 512, 0, "whole blocks, as tar wants");
    }
}

#[test]
fn a_damaged_or_cut_backup_is_refused() {
    let file = Temporary::with(&[7; 5000]);
    let whole = std::fs::read(&file.0).expect("read");
    let refused = |bytes: &[u8]| {
        std::fs::write(&file.0, bytes).expect("written");
        read(&file.open(), &mut Vec::new()).is_err()
    };
    let mut changed = whole.clone();
    changed[6000] ^= 1;
    assert!(refused(&changed));
    assert!(refused(&whole[..whole.len() - 3000]));
    assert!(refused(b""));
    assert!(refused(b"PGDMP and more of something else"));
    assert!(!refused(&whole));
}
