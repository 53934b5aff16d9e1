//! Staged binary → binary in use; the one before is kept as the previous one.

use super::{Applied, outcome, thing};
use crate::files::{self, at};
use crate::host::Host;
use crate::journal::{self, Note};
use crate::problem::{Result, problem};
use proxima_types::setup::{BoxStep, ReceiptThing, SetupProblemCode as Code, place};
use rustix::fs::{Mode, fchmod};
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use uuid::Uuid;

pub(super) const MODE: u32 = 0o755;

pub(crate) fn apply(host: &Host<'_>, job: Uuid, sha256: &str, version: &str) -> Result<Applied> {
    let (staged, binary) = (host.at(place::STAGED), host.at(place::BINARY));
    let hash = |path: &'static str| files::sha256(&host.at(path)).map_err(at(host, path));
    let in_use = hash(place::BINARY)?;
    match hash(place::STAGED)? {
        Some(found) if found == sha256 => {}
        None if in_use.as_deref() == Some(sha256) => {}
        None => {
            return Err(problem(
                Code::BinaryMissing,
                "The uploaded program is not on the server any more.",
                "Start again: it is uploaded anew.",
            ));
        }
        Some(_) => {
            return Err(problem(
                Code::BinaryDamaged,
                "The program on the server is not the one that was uploaded: its SHA-256 differs.",
                "Start again. If this happens again, the server's disk or memory is damaged.",
            ));
        }
    }
    let program = if staged.exists() { place::STAGED } else { place::BINARY };
    check_architecture(host, program)?;
    let entry = journal::begin(
        host,
        job,
        BoxStep::Binary,
        &[place::LIB, place::BINARY, place::PREVIOUS, place::LINK],
        Note::default(),
    )?;
    let mut changed = files::folder(&host.at(place::LIB), host.owner(), 0o755).map_err(at(host, place::LIB))?;
    if in_use.as_deref() != Some(sha256) {
        prepare(host, &staged).map_err(at(host, place::STAGED))?;
        if in_use.is_some() {
            files::link(&binary, &host.at(place::PREVIOUS)).map_err(at(host, place::PREVIOUS))?;
        }
        files::link(&staged, &binary).map_err(at(host, place::BINARY))?;
        host.say("The program is in place.");
        changed = true;
    }
    changed |= put_link(host).map_err(at(host, place::LINK))?;
    let mut things: Vec<ReceiptThing> = vec![thing(host, &entry, place::BINARY)?, thing(host, &entry, place::LINK)?];
    things[0].version = Some(version.to_owned());
    Ok((outcome(changed), things))
}

fn prepare(host: &Host<'_>, staged: &Path) -> io::Result<()> {
    let file = File::open(staged)?;
    std::os::unix::fs::fchown(&file, Some(host.owner().uid), Some(host.owner().gid))?;
    fchmod(&file, Mode::from_raw_mode(MODE))?;
    file.sync_all()
}

fn put_link(host: &Host<'_>) -> io::Result<bool> {
    let link = host.at(place::LINK);
    if std::fs::read_link(&link).is_ok_and(|target| target == Path::new(place::BINARY)) {
        return Ok(false);
    }
    if let Some(folder) = link.parent() {
        std::fs::create_dir_all(folder)?;
    }
    files::symlink(Path::new(place::BINARY), &link)?;
    Ok(true)
}

/// Removes the staged binary and unfinished uploads, and the folder if that was all.
pub(crate) fn remove_upload(host: &Host<'_>) -> Result<bool> {
    let folder = host.at(place::LIB);
    let mut removed = files::remove(&host.at(place::STAGED)).map_err(at(host, place::STAGED))?;
    for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
        if entry.file_name().as_encoded_bytes().starts_with(place::UPLOAD_PREFIX.as_bytes()) {
            removed |= files::remove(&entry.path()).map_err(at(host, place::LIB))?;
        }
    }
    files::remove_if_empty(&folder).map_err(at(host, place::LIB))?;
    Ok(removed)
}

/// A program for another machine is refused before it is put in use.
fn check_architecture(host: &Host<'_>, path: &str) -> Result<()> {
    let mut header = [0; 20];
    let read = File::open(host.at(path)).and_then(|mut file| file.read_exact(&mut header));
    let machine = rustix::system::uname().machine().to_string_lossy().into_owned();
    match read.ok().and_then(|()| elf_machine(header)) {
        Some(built_for) if built_for == machine => Ok(()),
        Some(built_for) => Err(problem(
            Code::UnsupportedArchitecture,
            format!("The uploaded program is for {built_for}; this server is {machine}."),
            "Ask the operator to provide the gateway for this architecture.",
        )),
        None => Err(problem(
            Code::BinaryDamaged,
            "What was uploaded is not a program for Linux on x86_64 or aarch64.",
            "Ask the operator to check the gateway's binary in the release folder.",
        )),
    }
}

/// `e_machine` of an ELF header (elf(5)), in the kernel's word for it.
fn elf_machine(header: [u8; 20]) -> Option<&'static str> {
    const LITTLE_ENDIAN_64: [u8; 6] = [0x7f, b'E', b'L', b'F', 2, 1];
    if header[..6] != LITTLE_ENDIAN_64 {
        return None;
    }
    match u16::from_le_bytes([header[18], header[19]]) {
        62 => Some("x86_64"),
        183 => Some("aarch64"),
        243 => Some("riscv64"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_of_a_program_is_read() {
        let mut header = [0; 20];
        header[..6].copy_from_slice(&[0x7f, b'E', b'L', b'F', 2, 1]);
        header[18] = 183;
        assert_eq!(elf_machine(header), Some("aarch64"));
        header[4] = 1;
        assert_eq!(elf_machine(header), None, "32 bits");
        assert_eq!(elf_machine(*b"#!/bin/sh\n..........",), None);
    }
}
