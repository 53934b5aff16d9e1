//! The commands of docs/operate.md: fenced blocks with a name after their language.

use std::path::{Path, PathBuf};

pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the repository")
}

pub fn text() -> String {
    std::fs::read_to_string(repository().join("docs/operate.md")).expect("the guide")
}

/// The block of that name, as it stands in the guide.
pub fn block(name: &str) -> String {
    let text = text();
    let found: Vec<&str> = text
        .split("\n```")
        .skip(1)
        .step_by(2)
        .filter_map(|block| {
            let (fence, body) = block.split_once('\n')?;
            (fence.split_once(' ')?.1 == name).then_some(body)
        })
        .collect();
    assert_eq!(found.len(), 1, "blocks of docs/operate.md that are named {name}");
    format!("{}\n", found[0])
}
