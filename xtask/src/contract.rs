//! Versions of the contract: which there are, that frozen ones do not change, that newer ones keep their promises.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use wit_component::semver_check;
use wit_parser::{InterfaceId, PackageId, Resolve, WorldItem};

use crate::surface::Surface;
use crate::tools;

/// One version, parsed.
pub(crate) struct Contract {
    pub(crate) version: String,
    pub(crate) resolve: Resolve,
    pub(crate) package: PackageId,
}

/// On which side of the boundary an interface lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// The host implements it: it may grow.
    Import,
    /// A guest implements it: it may not change at all.
    Export,
}

impl Contract {
    /// Reads `wit/<version>`.
    pub(crate) fn read(version: &str) -> Result<Self> {
        Self::read_dir(version, &wit_dir().join(version))
    }

    fn read_dir(version: &str, dir: &Path) -> Result<Self> {
        let mut resolve = Resolve::default();
        let (package, _) = resolve.push_dir(dir)?;
        let found = resolve.packages[package]
            .name
            .version
            .as_ref()
            .map(ToString::to_string);
        if found.as_deref() != Some(version) {
            bail!("{} holds a package of another version", dir.display());
        }
        Ok(Self {
            version: version.to_owned(),
            resolve,
            package,
        })
    }

    /// Every interface with the side it lies on, as the worlds say. An interface of types alone counts as imported.
    pub(crate) fn interfaces(&self) -> Vec<(String, InterfaceId, Side)> {
        let package = &self.resolve.packages[self.package];
        let worlds = || {
            package
                .worlds
                .values()
                .map(|world| &self.resolve.worlds[*world])
        };
        let exported = |id: InterfaceId| {
            let items = worlds().flat_map(|world| world.exports.values());
            items
                .into_iter()
                .any(|item| matches!(item, WorldItem::Interface { id: of, .. } if *of == id))
        };
        let named = package.interfaces.iter().map(|(name, &id)| {
            (
                name.clone(),
                id,
                if exported(id) {
                    Side::Export
                } else {
                    Side::Import
                },
            )
        });
        named.collect()
    }
}

impl Contract {
    /// The names of the interfaces that a world exports.
    pub(crate) fn exports(&self, world: &str) -> Vec<String> {
        let package = &self.resolve.packages[self.package];
        let Some(world) = package.worlds.get(world) else {
            return Vec::new();
        };
        let items = self.resolve.worlds[*world].exports.values();
        let names = items.filter_map(|item| match item {
            WorldItem::Interface { id, .. } => self.resolve.interfaces[*id].name.clone(),
            _ => None,
        });
        names.collect()
    }
}

/// The folder of the contract.
fn wit_dir() -> PathBuf {
    tools::root().join("wit")
}

/// Every version there is, oldest first.
pub(crate) fn versions() -> Result<Vec<String>> {
    let numbers = |version: &str| -> Option<Vec<u64>> {
        version.split('.').map(|part| part.parse().ok()).collect()
    };
    let mut versions = Vec::new();
    for dir in tools::sorted(&wit_dir())? {
        let name = dir
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if let (true, Some(numbers)) = (dir.is_dir(), numbers(&name)) {
            versions.push((numbers, name));
        }
    }
    versions.sort();
    Ok(versions.into_iter().map(|(_, name)| name).collect())
}

/// Where the digests of frozen files are kept: `<sha256>  <version>/<file>`, as `sha256sum` writes them.
fn frozen_file() -> PathBuf {
    wit_dir().join("frozen.sha256")
}

/// Writes down what a version's files are, once and for all.
pub(crate) fn freeze(version: &str) -> Result<()> {
    let mut text = std::fs::read_to_string(frozen_file()).unwrap_or_default();
    if text.contains(&format!("  {version}/")) {
        bail!("{version} is frozen already; a change is a new version");
    }
    Contract::read(version)?;
    text.push_str(&digests(&wit_dir(), version)?);
    tools::write_whole(&frozen_file(), text.as_bytes())
}

/// Fails where a frozen version's files are not what they were.
pub(crate) fn check_frozen() -> Result<()> {
    let frozen = std::fs::read_to_string(frozen_file()).context("cannot read wit/frozen.sha256")?;
    check_digests(&wit_dir(), &frozen)
}

fn check_digests(dir: &Path, frozen: &str) -> Result<()> {
    let version_of = |line: &str| {
        let (_, file) = line.split_once("  ")?;
        Some(file.split_once('/')?.0.to_owned())
    };
    let mut versions: Vec<String> = frozen.lines().filter_map(version_of).collect();
    versions.dedup();
    for version in versions {
        let was: Vec<&str> = frozen
            .lines()
            .filter(|line| version_of(line).as_ref() == Some(&version))
            .collect();
        let is = digests(dir, &version)?;
        if !is.lines().eq(was) {
            bail!(
                "wit/{version} is frozen and was changed: put it back, and make the change in a folder of a new version"
            );
        }
    }
    Ok(())
}

/// One line for each file of the contract in a version's folder: WIT, schemas, examples.
fn digests(dir: &Path, version: &str) -> Result<String> {
    let mut lines = String::new();
    for file in tools::sorted(&dir.join(version))? {
        // The schema of manifests and the examples of templates bind guests as much as the WIT does.
        let part = file
            .extension()
            .is_some_and(|of| of == "wit" || of == "json");
        if part {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            let digest = tools::sha256(&std::fs::read(&file)?);
            lines.push_str(&format!("{digest}  {version}/{name}\n"));
        }
    }
    if lines.is_empty() {
        bail!("wit/{version} holds no .wit file");
    }
    Ok(lines)
}

/// Fails where a guest built for the older version would not run on a host of the newer one.
///
/// Each interface is compared alone, as the host binds it: an exported one must be the same, an imported one may have
/// grown, and none may be gone.
pub(crate) fn check_compatible(older: &Contract, newer: &Contract) -> Result<()> {
    for (name, _, side) in older.interfaces() {
        if !newer
            .interfaces()
            .iter()
            .any(|(other, _, of)| (other, *of) == (&name, side))
        {
            bail!(
                "`{name}` of {} is missing from {}",
                older.version,
                newer.version
            );
        }
        let mut resolve = older.resolve.clone();
        resolve.merge(newer.resolve.clone())?;
        let previous = lone_world(&mut resolve, &older.version, &name, side)?;
        let next = lone_world(&mut resolve, &newer.version, &name, side)?;
        semver_check(resolve, previous, next).map_err(|why| {
            anyhow!(
                "`{name}` changed from {} to {} so that guests break: {why:#}",
                older.version,
                newer.version
            )
        })?;
    }
    Ok(())
}

/// A world with one interface of a version.
fn lone_world(
    resolve: &mut Resolve,
    version: &str,
    interface: &str,
    side: Side,
) -> Result<wit_parser::WorldId> {
    let word = if side == Side::Export {
        "export"
    } else {
        "import"
    };
    let text = format!(
        "package tollgate:compatibility@{version};\nworld lone {{ {word} tollgate:extension/{interface}@{version}; }}"
    );
    let package = resolve.push_str("lone.wit", &text)?;
    resolve.select_world(&[package], Some("lone"))
}

/// Fails where a component's exports or imports have other types than the contract says, or where a required export
/// is missing.
pub(crate) fn check_component(component: &[u8]) -> Result<Surface> {
    let surface = Surface::of(component)?;
    let has = |name: &str| surface.exports.iter().any(|export| export == name);
    if surface.exports.is_empty() {
        bail!("it exports nothing");
    }
    if has("manifest") != has("exchange") {
        bail!("a provider exports both `manifest` and `exchange`");
    }
    let contract = Contract::read(&surface.version)
        .with_context(|| format!("it was built for version {}", surface.version))?;
    let mut resolve = contract.resolve.clone();
    let version = &surface.version;
    let mut text = "package tollgate:conformance;\nworld component {\n".to_owned();
    for (name, _, side) in contract.interfaces() {
        match side {
            Side::Import => {
                text.push_str(&format!("import tollgate:extension/{name}@{version};\n"))
            }
            Side::Export if has(&name) => {
                text.push_str(&format!("export tollgate:extension/{name}@{version};\n"))
            }
            Side::Export => {}
        }
    }
    text.push('}');
    let package = resolve.push_str("component.wit", &text)?;
    let world = resolve.select_world(&[package], Some("component"))?;
    wit_component::targets(&resolve, world, component, false)?;
    Ok(surface)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The contract of this tree as another version, with one text replaced by another.
    fn changed(from: &str, to: &str) -> Contract {
        let dir = std::env::temp_dir().join(format!(
            "tollgate-contract-{}-{}",
            std::process::id(),
            from.len() * 1000 + to.len()
        ));
        std::fs::create_dir_all(&dir).unwrap();
        let mut replaced = false;
        for file in tools::sorted(&wit_dir().join("0.1.0")).unwrap() {
            let name = file.file_name().unwrap();
            if file.extension().is_none_or(|extension| extension != "wit") {
                continue;
            }
            let old = std::fs::read_to_string(&file).unwrap();
            let new = old.replace(from, to);
            replaced |= old != new;
            std::fs::write(
                dir.join(name),
                new.replace("extension@0.1.0", "extension@0.1.1"),
            )
            .unwrap();
        }
        assert!(replaced, "{from} is not in the contract any more");
        let contract = Contract::read_dir("0.1.1", &dir).unwrap();
        std::fs::remove_dir_all(&dir).unwrap();
        contract
    }

    fn verdict(from: &str, to: &str) -> Result<()> {
        check_compatible(&Contract::read("0.1.0").unwrap(), &changed(from, to))
    }

    #[test]
    fn what_only_the_host_offers_may_grow() {
        verdict(
            "    now: func() -> u64;",
            "    now: func() -> u64;\n    later: func() -> u64;",
        )
        .unwrap();
        verdict(
            "        attempt: func() -> u32;",
            "        attempt: func() -> u32;\n        region: func() -> string;",
        )
        .unwrap();
    }

    #[test]
    fn what_a_guest_exports_may_not_change() {
        let grown = verdict(
            "    describe: func() -> string;",
            "    describe: func() -> string;\n    more: func();",
        );
        assert!(
            grown
                .unwrap_err()
                .to_string()
                .contains("`manifest` changed from 0.1.0 to 0.1.1")
        );
        let record = verdict(
            "        commit-after: string,",
            "        commit-after: string,\n        also: string,",
        );
        assert!(record.unwrap_err().to_string().contains("`exchange`"));
        let variant = verdict("        cap-output(u64),", "        cap-output(u32),");
        assert!(variant.unwrap_err().to_string().contains("`admission`"));
    }

    #[test]
    fn what_the_host_offered_may_not_go() {
        let gone = verdict(
            "        @since(version = 0.1.0)\n        session: func() -> option<string>;",
            "",
        );
        assert!(gone.unwrap_err().to_string().contains("`call`"));
    }

    #[test]
    fn every_interface_lies_on_one_side() {
        let contract = Contract::read("0.1.0").unwrap();
        let side = |wanted: Side| -> Vec<String> {
            let all = contract.interfaces();
            let of_side = all.into_iter().filter(|(_, _, side)| *side == wanted);
            of_side.map(|(name, _, _)| name).collect()
        };
        assert!(side(Side::Export).contains(&"answer-content".to_owned()));
        assert!(side(Side::Import).contains(&"verdicts".to_owned()));
        assert_eq!(side(Side::Export).len(), 13);
    }

    #[test]
    fn a_change_of_a_frozen_file_is_seen() {
        let dir = std::env::temp_dir().join(format!("tollgate-frozen-{}", std::process::id()));
        std::fs::create_dir_all(dir.join("0.1.0")).unwrap();
        let write =
            |name: &str, text: &str| std::fs::write(dir.join("0.1.0").join(name), text).unwrap();
        write("a.wit", "one");
        let frozen = digests(&dir, "0.1.0").unwrap();
        check_digests(&dir, &frozen).unwrap();
        write("README.md", "not part of the contract");
        check_digests(&dir, &frozen).unwrap();
        for name in ["b.wit", "manifest.schema.json"] {
            write(name, "new");
            assert!(check_digests(&dir, &frozen).is_err(), "a new file");
            std::fs::remove_file(dir.join("0.1.0").join(name)).unwrap();
        }
        write("a.wit", "two");
        assert!(check_digests(&dir, &frozen).is_err(), "a changed file");
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
