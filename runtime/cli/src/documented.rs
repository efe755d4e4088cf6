//! Every `tollgate` command line that the documentation shows is one that the program takes.

use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser as _};

use crate::args::Cli;

/// A command line as it stands in a document.
#[derive(Debug, PartialEq, Eq)]
struct Shown {
    words: Vec<String>,
    /// In a block of code, to be typed as it is; elsewhere it is only mentioned and may leave out what it needs.
    whole: bool,
}

#[test]
fn every_command_line_in_the_documentation_is_accepted() {
    let mut seen = 0;
    let mut wrong = Vec::new();
    for file in documents() {
        for Shown { words, whole } in shown(&std::fs::read_to_string(&file).unwrap()) {
            seen += 1;
            let Err(error) = Cli::try_parse_from(&words) else {
                continue;
            };
            let fine = match error.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => true,
                ErrorKind::MissingRequiredArgument
                | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => !whole,
                _ => false,
            };
            if !fine {
                wrong.push(format!("{}: {words:?}\n{error}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // README alone has a dozen: a way of reading that finds none would prove nothing.
    assert!(seen > 12, "only {seen} command lines were found");
}

#[test]
fn every_option_that_the_readme_mentions_exists() {
    let mut known = Vec::new();
    collect(&Cli::command(), &mut known);
    // `cargo xtask test --skip` is not ours.
    known.push("skip".to_owned());
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    for span in spans(&readme) {
        if let Some(option) = span.strip_prefix("--") {
            let name = option.split([' ', '=']).next().unwrap();
            assert!(known.iter().any(|known| known == name), "--{name}");
        }
    }
}

fn collect(command: &clap::Command, names: &mut Vec<String>) {
    let longs = command.get_arguments().filter_map(clap::Arg::get_long);
    names.extend(longs.map(str::to_owned));
    for sub in command.get_subcommands() {
        collect(sub, names);
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every Markdown file of the project, and the configuration that is shown as an example.
fn documents() -> Vec<PathBuf> {
    let mut found = vec![root().join("examples/tollgate.toml")];
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let built = name == "target" || name == "data" || name.starts_with('.');
            if path.is_dir() && !built {
                folders.push(path);
            } else if name.ends_with(".md") {
                found.push(path);
            }
        }
    }
    found
}

/// The command lines of a document: in blocks of code line by line, elsewhere between backticks.
fn shown(text: &str) -> Vec<Shown> {
    let mut found = Vec::new();
    let mut lines = text.lines();
    let mut prose = String::new();
    let mut in_block = false;
    while let Some(line) = lines.next() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
            continue;
        }
        if !in_block {
            prose.push_str(line);
            prose.push(' ');
            continue;
        }
        let mut whole = line.to_owned();
        while let Some(cut) = whole.strip_suffix('\\') {
            whole = format!("{cut} {}", lines.next().unwrap_or_default());
        }
        found.extend(command(&whole).map(|words| Shown { words, whole: true }));
    }
    let mentioned = spans(&prose).into_iter().filter_map(|span| command(&span));
    found.extend(mentioned.map(|words| Shown {
        words,
        whole: false,
    }));
    found
}

/// What stands between single backticks.
fn spans(text: &str) -> Vec<String> {
    let parts = text.split('`').skip(1).step_by(2);
    parts
        .filter(|span| !span.is_empty())
        .map(str::to_owned)
        .collect()
}

/// The words of a line that starts `tollgate`, or that has `cargo xtask run` start it.
fn command(line: &str) -> Option<Vec<String>> {
    let words = words(line);
    if words.len() > 3 && words[..4] == ["cargo", "xtask", "run", "--"] {
        let serve = ["tollgate", "serve", "--quickstart"].map(str::to_owned);
        return Some([&serve[..], &words[4..]].concat());
    }
    let program = Path::new(words.first()?).file_name()?;
    (program == "tollgate" && words.len() > 1).then_some(words)
}

/// Splits as a shell does, as far as the documents need it: quotes, and `#` to the end of the line.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in line.chars() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => word.get_or_insert_default().push(c),
            None if c == '\'' || c == '"' => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            None if c == '#' && word.is_none() => break,
            None if c == '|' || c == '>' || c == ';' => break,
            None if c.is_whitespace() => words.extend(word.take()),
            None => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

#[test]
fn commands_are_found_in_blocks_and_in_prose() {
    let text = "Say `tollgate doctor`, or:\n```\na/tollgate key create \\\n  --label 'a b' # why\nls\n```\n`other`";
    let found = shown(text);
    assert_eq!(found.len(), 2);
    assert_eq!(
        found[0].words,
        ["a/tollgate", "key", "create", "--label", "a b"]
    );
    assert!(found[0].whole && !found[1].whole);
    assert_eq!(found[1].words, ["tollgate", "doctor"]);
}
