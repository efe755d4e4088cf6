//! Which configuration applies: the file named, `tollgate.toml` here, or the defaults; then the command line.

use std::path::Path;

use tollgate_gateway::config::Config;

use crate::args::Place;

/// Name of the file that is read if none is named.
const DEFAULT_FILE: &str = "tollgate.toml";

/// Reads the configuration.
///
/// # Errors
/// The file that was named is not there, or a key in it is wrong; the error names it.
pub(crate) fn load(place: &Place) -> anyhow::Result<Config> {
    let mut config = match file(place) {
        Some(file) => Config::load(file)?,
        None => Config::default(),
    };
    if let Some(dir) = &place.data {
        config.data.dir.clone_from(dir);
    }
    Ok(config)
}

/// The file that says so; none where the defaults hold.
pub(crate) fn file(place: &Place) -> Option<&Path> {
    let beside = Path::new(DEFAULT_FILE);
    let beside = beside.exists().then_some(beside);
    place.config.as_deref().or(beside)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str) -> (tempfile::TempDir, Place) {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("t.toml");
        std::fs::write(&file, text).unwrap();
        (
            dir,
            Place {
                config: Some(file),
                data: None,
                management: None,
                json: false,
            },
        )
    }

    #[test]
    fn an_error_names_the_key_and_the_file() {
        for (text, key) in [
            ("[server]\nlisten = \"nowhere\"", "listen"),
            ("[servr]", "servr"),
            ("[data]\ndurable = \"maybe\"", "durable"),
            ("[components]\ncall_timeout_ms = -1", "call_timeout_ms"),
            ("[governance]\nrates = { CNY = \"a\" }", "rates"),
        ] {
            let (_dir, place) = place(text);
            let error = format!("{:#}", load(&place).unwrap_err());
            assert!(
                error.contains(key) && error.contains("t.toml"),
                "{text}: {error}"
            );
        }
    }

    #[test]
    fn a_file_that_was_named_must_be_there() {
        let missing = Place {
            config: Some("/nowhere/x.toml".into()),
            data: None,
            management: None,
            json: false,
        };
        assert!(
            load(&missing)
                .unwrap_err()
                .to_string()
                .contains("/nowhere/x.toml")
        );
    }

    #[test]
    fn the_command_line_overrules_the_file() {
        let (_dir, mut place) = place("[data]\ndir = \"a\"");
        place.data = Some("b".into());
        assert_eq!(load(&place).unwrap().data.dir, Path::new("b"));
    }
}
