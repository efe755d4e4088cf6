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
        Ok(Self {
            imports: names(&resolve, world_of.imports.values())?,
            exports: names(&resolve, world_of.exports.values())?,
        })
    }
}

fn names<'a>(resolve: &Resolve, items: impl Iterator<Item = &'a WorldItem>) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for item in items {
        let WorldItem::Interface { id, .. } = item else {
            bail!("it imports or exports something that is not an interface");
        };
        let full = resolve.id_of(*id).context("an interface without a name")?;
        let short = full
            .strip_prefix(PACKAGE)
            .and_then(|rest| rest.strip_prefix('/'))
            .and_then(|rest| rest.split('@').next());
        match short {
            Some(short) => names.push(short.to_owned()),
            None => bail!("it names `{full}`, which is not of {PACKAGE}"),
        }
    }
    names.sort();
    Ok(names)
}
