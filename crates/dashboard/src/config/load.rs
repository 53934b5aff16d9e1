//! Brings flags, environment and file together (in this order of precedence), and reports every problem at once.

use super::file::{self, Entry};
use super::{ServeArgs, checks};
use clap::builder::{OsStringValueParser, Resettable};
use clap::error::{ContextKind, ContextValue};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Args as _, Command, FromArgMatches as _};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry as MapEntry;
use std::error::Error as _;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Read when no other file is named, if it is there.
pub const DEFAULT_FILE: &str = "/etc/proxima-dashboard/config.toml";

/// Something wrong with the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// `file:line`, a variable or a flag.
    pub source: String,
    /// What is wrong and what is expected; never a secret.
    pub message: String,
}

impl Problem {
    /// Lines of a file stand together, in their order.
    fn place(&self) -> (String, u64) {
        let line = self.source.rsplit_once(':').and_then(|(file, line)| Some((file.to_owned(), line.parse().ok()?)));
        line.unwrap_or_else(|| (self.source.clone(), 0))
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.source, self.message)
    }
}

/// Why a command line is not run.
pub enum Stop {
    /// Help, the version, or a command line that clap refuses.
    Usage(clap::Error),
    /// Every problem of the configuration.
    Problems(Vec<Problem>),
}

/// A setting's values with where they were given.
struct Given {
    values: Vec<OsString>,
    source: String,
}

type Settings = BTreeMap<String, Given>;

/// The settings: every option of `serve`.
pub(super) fn settings() -> Command {
    ServeArgs::augment_args(Command::new("serve"))
}

/// The command line with what the environment and the file add to it, ready for the real parser.
///
/// # Errors
/// [`Stop`].
pub fn merge(command: &Command, argv: &[OsString]) -> Result<ArgMatches, Stop> {
    let usage = |error: clap::Error| match command.clone().try_get_matches_from(argv) {
        // In the words of the real parser, which knows the possible values.
        Err(real) if real.kind() == error.kind() => Stop::Usage(real),
        _ => Stop::Usage(error),
    };
    let matches = lenient(command.clone()).try_get_matches_from(argv).map_err(usage)?;
    let bare = without_env(command.clone());
    let Some((path, options, given)) = leaf(command, &matches) else {
        return bare.try_get_matches_from(argv).map_err(Stop::Usage);
    };
    let known = settings();
    let takes_settings = options.get_arguments().any(|arg| arg.get_id() == "config");
    let (mut chosen, mut others) = (Settings::new(), Vec::new());
    for arg in options.get_arguments() {
        let id = arg.get_id().as_str();
        let is_setting = takes_settings && known.get_arguments().any(|setting| setting.get_id() == id);
        match taken(arg, given) {
            Some(taken) if is_setting => _ = chosen.insert(id.to_owned(), taken),
            Some(taken) => others.extend(spelled(arg, &taken.values)),
            None => {}
        }
    }
    let mut problems = Vec::new();
    if takes_settings {
        let file = file_of(&chosen);
        if let Some(path) = file {
            let (entries, unreadable) = file::read(&path);
            problems.extend(unreadable);
            take_file(&known, entries, &mut chosen, &mut problems);
        }
        secrets_from_files(&known, &mut chosen, &mut problems);
        let bad = refuse_bad(&known, &mut chosen, &mut problems);
        problems.extend(contradictions(&known, &chosen, &bad));
    }
    if !problems.is_empty() {
        problems.sort_by_key(Problem::place);
        return Err(Stop::Problems(problems));
    }
    let mut line = vec![argv.first().cloned().unwrap_or_default()];
    line.extend(path);
    for arg in options.get_arguments() {
        if let Some(given) = chosen.get(arg.get_id().as_str()) {
            line.extend(spelled(arg, &given.values));
        }
    }
    line.extend(others);
    bare.try_get_matches_from(line).map_err(Stop::Usage)
}

/// The subcommand that was given, with the names that lead to it.
fn leaf<'a>(command: &'a Command, matches: &'a ArgMatches) -> Option<(Vec<OsString>, &'a Command, &'a ArgMatches)> {
    let (mut path, mut options, mut given) = (Vec::new(), command, matches);
    while let Some((name, inner)) = given.subcommand() {
        options = options.find_subcommand(name)?;
        given = inner;
        path.push(name.into());
    }
    (!path.is_empty()).then_some((path, options, given))
}

/// Every value as it was typed: what is wrong with it is said here, together with all else.
fn lenient(command: Command) -> Command {
    command.mut_subcommands(|sub| {
        lenient(sub).mut_args(|arg| {
            if arg.get_action().takes_values() { arg.value_parser(OsStringValueParser::new()) } else { arg }
        })
    })
}

/// The environment was read already, and an empty variable is none.
fn without_env(command: Command) -> Command {
    command.mut_subcommands(|sub| without_env(sub).mut_args(|arg| arg.env(Resettable::Reset)))
}

/// What the command line or the environment says of an argument.
fn taken(arg: &Arg, matches: &ArgMatches) -> Option<Given> {
    let id = arg.get_id().as_str();
    let source = match matches.value_source(id)? {
        ValueSource::CommandLine => arg.get_long().map_or_else(|| id.to_owned(), |long| format!("--{long}")),
        ValueSource::EnvVariable => arg.get_env()?.to_string_lossy().into_owned(),
        _ => return None,
    };
    if !arg.get_action().takes_values() {
        return matches.get_flag(id).then(|| Given { values: Vec::new(), source });
    }
    let values: Vec<OsString> = matches.get_raw(id)?.map(OsString::from).collect();
    let from_env = arg.get_env().is_some_and(|name| name.to_string_lossy() == source);
    if from_env && values.iter().all(|value| value.is_empty()) { None } else { Some(Given { values, source }) }
}

/// An argument as on a command line.
fn spelled(arg: &Arg, values: &[OsString]) -> Vec<OsString> {
    let Some(long) = arg.get_long() else { return values.to_vec() };
    if values.is_empty() {
        return vec![format!("--{long}").into()];
    }
    let one = |value: &OsString| {
        let mut text = OsString::from(format!("--{long}="));
        text.push(value);
        text
    };
    values.iter().map(one).collect()
}

fn file_of(chosen: &Settings) -> Option<PathBuf> {
    match chosen.get("config").and_then(|given| given.values.first()) {
        Some(named) => Some(PathBuf::from(named)),
        None => Some(PathBuf::from(DEFAULT_FILE)).filter(|path| path.exists()),
    }
}

/// Adds the file's settings where neither flag nor variable spoke; checks all of them.
fn take_file(known: &Command, entries: Vec<Entry>, chosen: &mut Settings, problems: &mut Vec<Problem>) {
    for Entry { key, values, source } in entries {
        let setting = known.get_arguments().find(|arg| arg.get_id() == key.as_str() && key != "config");
        let Some(arg) = setting else {
            problems.push(Problem { source, message: unknown(known, &key) });
            continue;
        };
        let given = Given { values: values.into_iter().map(OsString::from).collect(), source };
        if given.values.len() > 1 && arg.get_value_delimiter().is_none() {
            problems.push(Problem { source: given.source, message: format!("{key}: takes one value, not a list") });
            continue;
        }
        match chosen.entry(key) {
            MapEntry::Occupied(_) => problems.extend(refusal(arg, &given)),
            MapEntry::Vacant(place) if !given.values.is_empty() => {
                place.insert(given);
            }
            MapEntry::Vacant(_) => {}
        }
    }
}

fn unknown(known: &Command, key: &str) -> String {
    let spelled = key.replace('-', "_").to_lowercase();
    let near = known
        .get_arguments()
        .filter(|arg| !arg.is_hide_set() && arg.get_id() != "config")
        .map(|arg| (strsim::jaro_winkler(arg.get_id().as_str(), &spelled), arg.get_id().as_str()))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    match near {
        Some((_, name)) => format!("{key}: there is no such setting; did you mean {name}?"),
        None => format!("{key}: there is no such setting; `proxima-dashboard serve --help` names them all"),
    }
}

/// `x_file` gives the secret `x`; systemd's credential `x` does when nothing else gives it.
fn secrets_from_files(known: &Command, chosen: &mut Settings, problems: &mut Vec<Problem>) {
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    for arg in known.get_arguments().filter(|arg| arg.is_hide_env_values_set()) {
        let id = arg.get_id().as_str();
        let named = chosen.remove(&format!("{id}_file"));
        match (chosen.get(id), named) {
            (Some(given), Some(file)) => problems.push(Problem {
                message: format!("{id} is given by {} already: keep one of both", given.source),
                source: file.source,
            }),
            (None, Some(Given { values, source })) => {
                let path = PathBuf::from(values.first().cloned().unwrap_or_default());
                match secret(&path) {
                    Ok(value) => _ = chosen.insert(id.to_owned(), Given { values: vec![value], source }),
                    Err(message) => problems.push(Problem { source, message }),
                }
            }
            (None, None) => {
                let Some(path) = credentials.as_ref().map(|folder| folder.join(id.replace('_', "-"))) else { continue };
                if !path.exists() {
                    continue;
                }
                let source = format!("the credential {}", path.display());
                match secret(&path) {
                    Ok(value) => _ = chosen.insert(id.to_owned(), Given { values: vec![value], source }),
                    Err(message) => problems.push(Problem { source, message }),
                }
            }
            (Some(_), None) => {}
        }
    }
}

/// A file's content without the line end that editors add.
fn secret(path: &Path) -> Result<OsString, String> {
    let shown = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("cannot read {shown}: {}", crate::sentence::io_reason(&error)))?;
    match text.trim() {
        "" => Err(format!("{shown} is empty")),
        text if text.lines().count() > 1 => Err(format!("{shown} has more than one line")),
        text => Ok(text.into()),
    }
}

/// Takes out what is not possible, and says which settings that were.
fn refuse_bad(known: &Command, chosen: &mut Settings, problems: &mut Vec<Problem>) -> Vec<String> {
    let mut bad = Vec::new();
    for arg in known.get_arguments() {
        let id = arg.get_id().as_str();
        let found: Vec<Problem> = chosen.get(id).map(|given| refusal(arg, given)).unwrap_or_default();
        if !found.is_empty() {
            chosen.remove(id);
            bad.push(id.to_owned());
            problems.extend(found);
        }
    }
    bad
}

/// What is wrong with each of the values.
fn refusal(arg: &Arg, given: &Given) -> Vec<Problem> {
    let id = arg.get_id().as_str();
    let alone = Command::new("value").no_binary_name(true).arg(arg.clone().env(Resettable::Reset).required(false));
    given
        .values
        .iter()
        .filter_map(|value| {
            let error = alone.clone().try_get_matches_from(spelled(arg, std::slice::from_ref(value))).err()?;
            let said = if arg.is_hide_env_values_set() { String::new() } else { format!(" {}", shown(value)) };
            let message = format!("{id} cannot be{said}: {}. It is: {}", reason(&error), purpose(arg));
            Some(Problem { source: given.source.clone(), message })
        })
        .collect()
}

/// A value in a sentence: short, and without anything that a terminal would act on.
fn shown(value: &OsString) -> String {
    let text = value.to_string_lossy();
    let short: String = text.chars().take(80).collect();
    format!("{short:?}")
}

fn reason(error: &clap::Error) -> String {
    if let Some(inner) = error.source() {
        return inner.to_string();
    }
    match error.get(ContextKind::ValidValue) {
        Some(ContextValue::Strings(values)) => format!("expected {}", values.join(" or ")),
        _ => "it is not of the expected form".to_owned(),
    }
}

/// The first sentence of a setting's help.
pub(super) fn purpose(arg: &Arg) -> String {
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    help.trim_end_matches('.').to_owned()
}

/// What is wrong between settings that are possible by themselves.
fn contradictions(known: &Command, chosen: &Settings, bad: &[String]) -> Vec<Problem> {
    let mut line = vec![OsString::from("serve")];
    for arg in known.get_arguments() {
        if let Some(given) = chosen.get(arg.get_id().as_str()) {
            line.extend(spelled(arg, &given.values));
        }
    }
    let matches = without_env(Command::new("root").subcommand(known.clone()));
    let matches = matches.no_binary_name(true).try_get_matches_from(line);
    let Some(args) = matches.ok().and_then(|matches| {
        matches.subcommand_matches("serve").and_then(|matches| ServeArgs::from_arg_matches(matches).ok())
    }) else {
        return Vec::new();
    };
    checks::together(&args)
        .into_iter()
        .filter(|found| !found.with.is_some_and(|other| bad.iter().any(|bad| bad == other)))
        .map(|found| Problem {
            source: chosen.get(found.setting).map_or_else(|| found.setting.to_owned(), |given| given.source.clone()),
            message: found.message,
        })
        .collect()
}

/// A boolean or valued setting's default, as text.
pub(super) fn default_of(arg: &Arg) -> Option<String> {
    let values: Vec<String> =
        arg.get_default_values().iter().map(|value| value.to_string_lossy().into_owned()).collect();
    (matches!(arg.get_action(), ArgAction::Set | ArgAction::Append) && !values.is_empty()).then(|| values.join(","))
}
