//! `unsafe` stands where the table below says and nowhere else: the lint is denied in every crate of the workspace, but
//! whoever writes `unsafe` can lift it in the line above, unless the root of the crate forbids it. The roots of
//! `runtime/plugin`, of the SDK and of what exports a component with its macro cannot.

use anyhow::{Context, Result, bail};

use crate::tools;

/// Where the lint is lifted or `unsafe` is written: the file, how often, why.
const PLACES: [(&str, usize, &str); 3] = [
    (
        "runtime/plugin/src/cache.rs",
        2,
        "maps machine code of our own compile cache, its tag verified: the one audited place",
    ),
    (
        "sdk/src/bindings.rs",
        1,
        "generated from the contract, runs inside of the sandbox",
    ),
    (
        "sdk/src/lib.rs",
        1,
        "a component's exports: generated, run inside of the sandbox",
    ),
];

/// The lint's name, and the keyword before all that it can stand before. In pieces, so that this file has none.
const SIGNS: [&str; 7] = [
    concat!("unsafe", "_code"),
    concat!("unsafe", " {"),
    concat!("unsafe", " fn"),
    concat!("unsafe", " impl"),
    concat!("unsafe", " trait"),
    concat!("unsafe", " extern"),
    concat!("unsafe", "("),
];

/// Also of crates that are no members of the workspace and take no part in its lints.
pub(crate) fn check() -> Result<()> {
    let root = tools::root();
    let mut found = Vec::new();
    for file in tools::files_under(&root)? {
        if file.extension().is_none_or(|ending| ending != "rs") {
            continue;
        }
        let text = std::fs::read_to_string(&file)
            .with_context(|| format!("cannot read {}", file.display()))?;
        let count = count(&text);
        if count > 0 {
            let name = file.strip_prefix(&root).unwrap_or(&file);
            found.push((name.to_string_lossy().into_owned(), count));
        }
    }
    let expected = PLACES.map(|(file, count, _)| (file.to_owned(), count));
    if found != expected {
        bail!(
            "`unsafe` is in {found:?}, and the table in xtask/src/unsafety.rs has {expected:?}: \
             what is new there is to be audited, and to be told in SECURITY.md"
        );
    }
    every_member_takes_the_lints(&root)
}

fn count(text: &str) -> usize {
    let code = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//") && !line.contains("#![forbid("));
    code.filter(|line| SIGNS.iter().any(|sign| line.contains(sign)))
        .count()
}

/// A crate that does not say so is not linted by the table in `Cargo.toml`.
fn every_member_takes_the_lints(root: &std::path::Path) -> Result<()> {
    let metadata = tools::output(tools::cargo().args([
        "metadata",
        "--no-deps",
        "--format-version=1",
        "--offline",
    ]))
    .context("cargo does not tell the members of the workspace")?;
    let metadata: serde_json::Value = serde_json::from_str(&metadata)?;
    let members = metadata["packages"].as_array().context("no packages")?;
    for member in members {
        let manifest = member["manifest_path"].as_str().context("no manifest")?;
        let text = std::fs::read_to_string(manifest)?;
        if !text.contains("[lints]\nworkspace = true") {
            let name = manifest.trim_start_matches(&*root.to_string_lossy());
            bail!("{name} does not take the workspace's lints");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_and_what_lifts_the_lint_is_counted_and_comments_are_not() {
        let [lint, block, ..] = SIGNS;
        let text = format!("// {block}\n#[allow({lint})]\nfn f() {{ {block} g() }} }}\n");
        assert_eq!(count(&text), 2);
    }

    #[test]
    fn the_table_is_true() {
        check().unwrap();
    }
}
