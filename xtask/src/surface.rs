//! What a component imports and exports, and whether a guest may.

use anyhow::{Context, Result, bail};
use wit_component::{DecodedWasm, decode};
use wit_parser::{Resolve, WorldItem};

/// The package every import and export of a guest comes from.
pub(crate) const PACKAGE: &str = "tollgate:extension";

/// The interfaces a component names, without package and version.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Surface {
    pub(crate) imports: Vec<String>,
    pub(crate) exports: Vec<String>,
    /// The version of the contract it was built for: the highest it names.
    pub(crate) version: String,
}

impl Surface {
    /// Reads a component.
    ///
    /// # Errors
    /// Where it is none, or names anything but interfaces of the contract: a WASI import, say.
    pub(crate) fn of(component: &[u8]) -> Result<Self> {
        let (resolve, world) = match decode(component).context("not a component")? {
            DecodedWasm::Component(resolve, world) => (resolve, world),
            DecodedWasm::WitPackage(..) => bail!("a WIT package, not a component"),
        };
        let world_of = &resolve.worlds[world];
        let mut versions = Vec::new();
        let imports = names(&resolve, world_of.imports.values(), &mut versions)?;
        let exports = names(&resolve, world_of.exports.values(), &mut versions)?;
        let version = versions.into_iter().max().unwrap_or_default();
        Ok(Self {
            imports,
            exports,
            version,
        })
    }
}

fn names<'a>(
    resolve: &Resolve,
    items: impl Iterator<Item = &'a WorldItem>,
    versions: &mut Vec<String>,
) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for item in items {
        let WorldItem::Interface { id, .. } = item else {
            bail!("it imports or exports something that is not an interface");
        };
        let full = resolve.id_of(*id).context("an interface without a name")?;
        let rest = full
            .strip_prefix(PACKAGE)
            .and_then(|rest| rest.strip_prefix('/'));
        match rest.and_then(|rest| rest.split_once('@')) {
            Some((name, version)) => {
                names.push(name.to_owned());
                versions.push(version.to_owned());
            }
            None => bail!("it names `{full}`, which is not of {PACKAGE}"),
        }
    }
    names.sort();
    Ok(names)
}
