//! What a job replaced, so that it can be put back.
//!
//! `place::SETUP/<job>/<STEP>.json` is written before the step changes anything, the copies of
//! replaced files before that. A second try of the step finds the entry and keeps it: what was
//! there before the job is known only then. An entry goes when all that it names is back.

use crate::files::{self, at, look};
use crate::host::{Host, Owner};
use crate::problem::{Result, problem};
use proxima_types::setup::{BoxStep, ReceiptThing, SetupProblemCode, place};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};
use uuid::Uuid;

/// The entry's own version.
const VERSION: u32 = 1;
/// No entry is longer, in bytes.
const MAX_BYTES: u64 = 1024 * 1024;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Entry {
    version: u32,
    pub step: BoxStep,
    /// Parents before what is in them.
    kept: Vec<Kept>,
    pub note: Note,
    /// What the step did, once it has done it.
    pub things: Option<Vec<ReceiptThing>>,
}

/// What was at a path before the job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Kept {
    pub path: String,
    pub was: Was,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub(crate) enum Was {
    Nothing,
    File {
        uid: u32,
        gid: u32,
        mode: u32,
        modified_ns: u64,
        sha256: String,
        copy: String,
    },
    Link {
        target: String,
    },
    /// Only the folder itself.
    Folder {
        uid: u32,
        gid: u32,
        mode: u32,
    },
}

/// What was so before the job, other than files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Note {
    /// Of `BoxStep::User`.
    pub user_existed: bool,
    pub group_existed: bool,
    /// Of `BoxStep::Start`: the service ran.
    pub ran: bool,
    /// Of `BoxStep::Start`: reverted, but the service has to be restarted when the other steps are.
    pub restart_pending: bool,
}

impl Entry {
    pub(crate) fn was(&self, path: &str) -> &Was {
        self.kept.iter().find(|kept| kept.path == path).map_or(&Was::Nothing, |kept| &kept.was)
    }
}

fn job_folder(job: Uuid) -> String {
    format!("{}/{job}", place::SETUP)
}

fn file_name(step: BoxStep) -> &'static str {
    match step {
        BoxStep::Binary => "binary",
        BoxStep::User => "user",
        BoxStep::Config => "config",
        BoxStep::Unit => "unit",
        BoxStep::Start => "start",
    }
}

fn entry_path(job: Uuid, step: BoxStep) -> String {
    format!("{}/{}.json", job_folder(job), file_name(step))
}

/// The job's entry for `step`, if it has begun.
pub(crate) fn find(host: &Host<'_>, job: Uuid, step: BoxStep) -> Result<Option<Entry>> {
    let path = entry_path(job, step);
    let Some(text) = files::read(host, &path, MAX_BYTES)? else { return Ok(None) };
    match serde_json::from_str::<Entry>(&text) {
        Ok(entry) if entry.version == VERSION => Ok(Some(entry)),
        _ => Err(problem(
            SetupProblemCode::FileSystem,
            format!("{path}, the note of what was replaced, is damaged."),
            "Look at what is in that folder and put it back by hand, remove the folder, then start again.",
        )),
    }
}

/// The job's entry for `step`: the one of an earlier try, or a new one that keeps `paths` and
/// `note`. After this the step may change them.
pub(crate) fn begin(host: &Host<'_>, job: Uuid, step: BoxStep, paths: &[&str], note: Note) -> Result<Entry> {
    if let Some(entry) = find(host, job, step)? {
        return Ok(entry);
    }
    for folder in [place::SETUP.to_owned(), job_folder(job)] {
        files::folder(&host.at(&folder), host.owner(), 0o700).map_err(at(host, &folder))?;
    }
    let mut kept: Vec<Kept> = Vec::new();
    for path in paths {
        for path in missing_parents(host, path).iter().map(String::as_str).chain([*path]) {
            if kept.iter().all(|kept| kept.path != path) {
                let copy = format!("{}.{}", file_name(step), kept.len());
                let was = keep(host, job, path, copy).map_err(at(host, path))?;
                kept.push(Kept { path: path.to_owned(), was });
            }
        }
    }
    let entry = Entry { version: VERSION, step, kept, note, things: None };
    save(host, job, &entry)?;
    Ok(entry)
}

pub(crate) fn save(host: &Host<'_>, job: Uuid, entry: &Entry) -> Result<()> {
    let path = entry_path(job, entry.step);
    let json = serde_json::to_vec(entry).unwrap_or_default();
    files::write(&host.at(&path), &json, host.owner(), 0o600).map_err(at(host, &path))
}

fn missing_parents(host: &Host<'_>, path: &str) -> Vec<String> {
    let mut missing: Vec<String> = Path::new(path)
        .ancestors()
        .skip(1)
        .take_while(|parent| !host.at(&parent.to_string_lossy()).exists())
        .map(|parent| parent.to_string_lossy().into_owned())
        .collect();
    missing.reverse();
    missing
}

fn keep(host: &Host<'_>, job: Uuid, path: &str, copy: String) -> io::Result<Was> {
    let real = host.at(path);
    let Some(metadata) = look(&real)? else { return Ok(Was::Nothing) };
    let (Owner { uid, gid }, mode) = (files::owner_of(&metadata), files::mode_of(&metadata));
    if metadata.is_dir() {
        return Ok(Was::Folder { uid, gid, mode });
    }
    if metadata.is_symlink() {
        return Ok(Was::Link { target: fs::read_link(&real)?.to_string_lossy().into_owned() });
    }
    let target = host.at(&job_folder(job)).join(&copy);
    copy_file(&real, &target, host.owner(), 0o600, None)?;
    let sha256 = files::sha256(&target)?.unwrap_or_default();
    let modified = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
    let modified_ns = u64::try_from(modified.as_nanos()).unwrap_or_default();
    Ok(Was::File { uid, gid, mode, modified_ns, sha256, copy })
}

fn copy_file(from: &Path, to: &Path, owner: Owner, mode: u32, modified_ns: Option<u64>) -> io::Result<()> {
    files::tidily(to, || {
        let mut file = files::begin(to)?;
        io::copy(&mut File::open(from)?, &mut file)?;
        if let Some(nanoseconds) = modified_ns {
            file.set_modified(UNIX_EPOCH + Duration::from_nanos(nanoseconds))?;
        }
        files::finish(&file, to, owner, mode)
    })
}

/// Puts back all that the entry keeps. Idempotent.
pub(crate) fn restore(host: &Host<'_>, job: Uuid, entry: &Entry) -> Result<()> {
    let copies = host.at(&job_folder(job));
    // Children first: a folder that was not there goes with all that is in it.
    for Kept { path, was } in entry.kept.iter().rev() {
        put_back(&host.at(path), was, &copies).map_err(at(host, path))?;
    }
    Ok(())
}

fn put_back(path: &Path, was: &Was, copies: &Path) -> io::Result<()> {
    if path.parent().is_some_and(Path::is_dir) {
        files::remove(&files::unfinished(path))?;
    }
    let now = look(path)?;
    match was {
        Was::Nothing => files::remove(path).map(|_| ()),
        Was::Folder { uid, gid, mode } => files::folder(path, Owner { uid: *uid, gid: *gid }, *mode).map(|_| ()),
        Was::Link { target } => {
            if now.is_some_and(|now| now.is_symlink()) && fs::read_link(path)? == Path::new(target) {
                return Ok(());
            }
            files::symlink(Path::new(target), path)
        }
        Was::File { uid, gid, mode, modified_ns, sha256, copy } => {
            let owner = Owner { uid: *uid, gid: *gid };
            let same = now.is_some_and(|now| files::owner_of(&now) == owner && files::mode_of(&now) == *mode);
            if same && files::sha256(path)?.as_ref() == Some(sha256) {
                return Ok(());
            }
            copy_file(&copies.join(copy), path, owner, *mode, Some(*modified_ns))
        }
    }
}

/// Forgets one step of a job.
pub(crate) fn forget(host: &Host<'_>, job: Uuid, step: BoxStep) -> Result<()> {
    let entry = entry_path(job, step);
    files::remove(&host.at(&entry)).map_err(at(host, &entry)).map(|_| ())
}

/// Removes the folder of a job without steps: all is reverted, or none had begun.
pub(crate) fn tidy(host: &Host<'_>, job: Uuid) -> Result<()> {
    if begun(host, job)?.is_empty() {
        let folder = job_folder(job);
        files::remove(&host.at(&folder)).map_err(at(host, &folder))?;
        files::remove_if_empty(&host.at(place::SETUP)).map_err(at(host, place::SETUP))?;
    }
    Ok(())
}

/// The steps that this job has begun and not reverted.
pub(crate) fn begun(host: &Host<'_>, job: Uuid) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for step in BoxStep::ALL {
        entries.extend(find(host, job, step)?);
    }
    Ok(entries)
}

/// Jobs that neither committed nor were reverted.
pub(crate) fn unfinished_jobs(host: &Host<'_>) -> Vec<Uuid> {
    let Ok(entries) = fs::read_dir(host.at(place::SETUP)) else { return Vec::new() };
    let mut jobs: Vec<Uuid> = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    jobs.sort();
    jobs
}

/// As [`unfinished_jobs`], the one that was begun last first. Without one that a receipt speaks of: it was committed, and
/// only its copies are still there.
pub(crate) fn unfinished_jobs_newest_first(host: &Host<'_>, committed: Option<Uuid>) -> Vec<Uuid> {
    let begun = |job: &Uuid| fs::metadata(host.at(&job_folder(*job))).and_then(|folder| folder.modified()).ok();
    let mut jobs = unfinished_jobs(host);
    jobs.retain(|job| Some(*job) != committed);
    jobs.sort_by_key(|job| std::cmp::Reverse(begun(job)));
    jobs
}

/// Forgets every job: what they replaced is gone.
pub(crate) fn forget_all(host: &Host<'_>) -> Result<()> {
    for job in unfinished_jobs(host) {
        let folder = job_folder(job);
        files::remove(&host.at(&folder)).map_err(at(host, &folder))?;
    }
    Ok(())
}
