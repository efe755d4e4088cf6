//! A copy of the workspace, or of as much of it as a crate needs, with every rule of that crate broken behind its switch.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::{Guard, SWITCH};
use crate::tools;

/// Stands in a table for "this guard's rule is broken".
const BROKEN: &str = "BROKEN";

/// Members lie below this folder of the copy. Cargo knows a crate by its path below the workspace: where the copy is
/// built beside the original, the two must differ, or each build would undo the other.
const BELOW: &str = "broken";

/// Read by crates while they are compiled, and no member.
const CONTRACT: &str = "wit";

/// What stands in the manifest of the crate with the command.
const COMMAND: (&str, &str) = ("runtime/cli/Cargo.toml", "[[bin]]\nname = \"tollgate\"");

/// Files of the copy, by their path in it.
type Files = BTreeMap<PathBuf, Vec<u8>>;

/// Copies these members and breaks the rules of the crate in `folder`; the command is given this name. Returns the folder
/// that they lie in.
pub(super) fn copy(
    folder: &str,
    members: &[String],
    guards: &[Guard],
    command: Option<&str>,
) -> Result<PathBuf> {
    let work = tools::target_dir().join("guards").join(folder);
    let (root, below) = (tools::root(), Path::new(BELOW));
    let mut files = Files::new();
    for member in members.iter().map(String::as_str).chain([CONTRACT]) {
        for file in tools::files_under(&root.join(member))? {
            let bytes = std::fs::read(&file)?;
            files.insert(below.join(file.strip_prefix(&root)?), bytes);
        }
    }
    files.insert("Cargo.toml".into(), manifest(members)?.into_bytes());
    files.insert("Cargo.lock".into(), std::fs::read(root.join("Cargo.lock"))?);
    break_rules(&mut files, &below.join(folder).join("src"), guards)?;
    if let Some(command) = command {
        let (manifest, named) = COMMAND;
        let renamed = named.replace("tollgate", command);
        replace(&mut files, &below.join(manifest), named, &renamed)?;
    }
    write(&work, &files)?;
    Ok(work.join(BELOW))
}

/// Makes the folder hold just these files. What is the same already is left alone, so that cargo need not compile it anew.
fn write(folder: &Path, files: &Files) -> Result<()> {
    if folder.exists() {
        for file in tools::files_under(folder)? {
            if !files.contains_key(file.strip_prefix(folder)?) {
                std::fs::remove_file(file)?;
            }
        }
    }
    for (path, bytes) in files {
        let path = folder.join(path);
        if std::fs::read(&path).is_ok_and(|there| there == *bytes) {
            continue;
        }
        std::fs::create_dir_all(path.parent().context("a file lies in a directory")?)?;
        std::fs::write(path, bytes)?;
    }
    Ok(())
}

/// Replaces what stands in a file once.
fn replace(files: &mut Files, file: &Path, old: &str, new: &str) -> Result<()> {
    let bytes = files.get_mut(file);
    let bytes = bytes.with_context(|| format!("{} is not there", file.display()))?;
    let text = std::str::from_utf8(bytes)?;
    ensure!(
        text.matches(old).count() == 1,
        "this is not there once in {}: has the code moved on?\n{old}",
        file.display(),
    );
    *bytes = text.replace(old, new).into_bytes();
    Ok(())
}

/// The workspace's manifest with these members, where they lie in the copy.
fn manifest(members: &[String]) -> Result<String> {
    let mut manifest = read(&tools::root().join("Cargo.toml"))?;
    let workspace = workspace(&mut manifest)?;
    let members = members.iter().map(|member| format!("{BELOW}/{member}"));
    workspace.insert("members".to_owned(), members.collect::<Vec<_>>().into());
    workspace.remove("default-members");
    workspace.remove("exclude");
    let dependencies = workspace.get_mut("dependencies");
    let dependencies = dependencies.and_then(toml::Value::as_table_mut);
    for (_, dependency) in dependencies.into_iter().flatten() {
        if let Some(toml::Value::String(path)) = dependency.get_mut("path") {
            *path = format!("{BELOW}/{path}");
        }
    }
    Ok(toml::to_string(&manifest)?)
}

fn read(manifest: &Path) -> Result<toml::Table> {
    let text = std::fs::read_to_string(manifest);
    let text = text.with_context(|| manifest.display().to_string())?;
    text.parse().with_context(|| manifest.display().to_string())
}

fn workspace(manifest: &mut toml::Table) -> Result<&mut toml::Table> {
    let workspace = manifest.get_mut("workspace");
    let workspace = workspace.and_then(toml::Value::as_table_mut);
    workspace.context("Cargo.toml has a workspace")
}

fn break_rules(files: &mut Files, source: &Path, guards: &[Guard]) -> Result<()> {
    for guard in guards {
        ensure!(
            guard.broken.contains(BROKEN),
            "{}: nothing is broken",
            guard.name
        );
        let switch = format!("crate::broken({:?})", guard.name);
        let broken = guard.broken.replace(BROKEN, &switch);
        replace(files, &source.join(&guard.file), &guard.rule, &broken)
            .with_context(|| guard.name.clone())?;
    }
    let library = files.get_mut(&source.join("lib.rs"));
    let switch = format!(
        "\npub(crate) fn broken(guard: &str) -> bool {{\n    \
         static BROKEN: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();\n    \
         BROKEN.get_or_init(|| std::env::var({SWITCH:?}).ok()).as_deref() == Some(guard)\n}}\n"
    );
    library
        .context("the crate has a lib.rs")?
        .extend_from_slice(switch.as_bytes());
    Ok(())
}

/// The folder of a crate, and those of the crates of this workspace that it is built from.
pub(super) fn needed_by(folder: &str) -> Result<Vec<String>> {
    let root = tools::root();
    let mut manifest = read(&root.join("Cargo.toml"))?;
    let workspace = workspace(&mut manifest)?;
    let mut folders = vec![folder.to_owned()];
    let mut next = 0;
    while let Some(folder) = folders.get(next) {
        let manifest = read(&root.join(folder).join("Cargo.toml"))?;
        for kind in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let names = manifest.get(kind).and_then(toml::Value::as_table);
            for name in names.into_iter().flat_map(toml::Table::keys) {
                let path = workspace
                    .get("dependencies")
                    .and_then(|dependencies| dependencies.get(name)?.get("path")?.as_str());
                if let Some(path) = path.filter(|path| !folders.iter().any(|had| had == path)) {
                    folders.push(path.to_owned());
                }
            }
        }
        next += 1;
    }
    Ok(folders)
}

/// All members of the workspace: what is built with all of them has the features, and so the compiled dependencies, of
/// every other build of it.
pub(super) fn all_members() -> Result<Vec<String>> {
    let root = tools::root();
    let mut manifest = read(&root.join("Cargo.toml"))?;
    let named = workspace(&mut manifest)?.get("members");
    let named = named.and_then(toml::Value::as_array);
    let mut members = Vec::new();
    for member in named.into_iter().flatten().filter_map(toml::Value::as_str) {
        let Some(folder) = member.strip_suffix("/*") else {
            members.push(member.to_owned());
            continue;
        };
        for entry in std::fs::read_dir(root.join(folder))? {
            let entry = entry?;
            if entry.path().join("Cargo.toml").is_file() {
                members.push(format!("{folder}/{}", entry.file_name().display()));
            }
        }
    }
    members.sort();
    Ok(members)
}
