//! What is looked at before a file is compiled: is it a component, for this host, asking only for what it may have?

use wasmparser::{Encoding, Parser, Payload};

use crate::abi::{VERSIONS, known_imports};
use crate::{Interface, Kind};

const PACKAGE: &str = "tollgate:extension/";
/// Preview 2 packages. `sockets` may be imported and traps when used: many toolchains import it unasked.
const WASI: &[&str] = &["cli", "clocks", "filesystem", "io", "random", "sockets"];
/// Imports that make a component's answers depend on more than it reads, or give it something to act on.
const IMPURE: &[&str] = &["clock", "credential"];

/// What the outside of a component says about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outside {
    /// Provider or policy.
    pub(crate) kind: Kind,
    /// The version of the contract.
    pub(crate) version: String,
    /// The interfaces it exports.
    pub(crate) exports: Vec<Interface>,
    /// Whether it imports `wasi:*`.
    pub(crate) wasi: bool,
    /// Whether it imports neither clock nor credential nor WASI: then `prepare` is a function of what it reads.
    pub(crate) pure: bool,
}

/// Checks the bytes of a file.
///
/// # Errors
/// A sentence that says what the file is or what is wrong with it.
pub(crate) fn check(bytes: &[u8], max_bytes: usize) -> Result<Outside, String> {
    if bytes.len() > max_bytes {
        return Err(format!(
            "is {} bytes long; the limit (max_component_bytes) is {max_bytes}",
            bytes.len()
        ));
    }
    if bytes.is_empty() {
        return Err("is empty".into());
    }
    if !bytes.starts_with(b"\0asm") {
        return Err("is no WebAssembly file".into());
    }
    if bytes.len() < 8 {
        return Err("is a WebAssembly file cut short".into());
    }
    if Parser::is_core_wasm(bytes) {
        return Err(
            "is a core WebAssembly module, not a component; wrap it, for example with `wasm-tools component new`".into(),
        );
    }
    let names = outer_names(bytes)?;
    judge(&names)
}

#[derive(Default)]
struct Names {
    imports: Vec<String>,
    exports: Vec<String>,
}

/// The names that the outermost component imports and exports; the whole file is walked, so damage shows here.
fn outer_names(bytes: &[u8]) -> Result<Names, String> {
    let damaged =
        |error: wasmparser::BinaryReaderError| format!("is damaged or cut short: {error}");
    let mut names = Names::default();
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(damaged)? {
            Payload::Version { encoding, .. } => {
                depth += 1;
                if depth == 1 && encoding != Encoding::Component {
                    return Err("is not a component".into());
                }
            }
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 1 => {
                for import in section {
                    names
                        .imports
                        .push(import.map_err(damaged)?.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) if depth == 1 => {
                for export in section {
                    names
                        .exports
                        .push(export.map_err(damaged)?.name.name.to_owned());
                }
            }
            _ => {}
        }
    }
    if depth != 0 {
        return Err("is cut short".into());
    }
    Ok(names)
}

fn judge(names: &Names) -> Result<Outside, String> {
    let version = contract_version(names)?;
    let mut outside = Outside {
        kind: Kind::Policy,
        exports: exports(names, &version)?,
        wasi: false,
        pure: true,
        version,
    };
    for import in &names.imports {
        check_import(import, &mut outside)?;
    }
    outside.kind = kind(&outside.exports)?;
    Ok(outside)
}

/// Every name of ours must carry the same version, one that this host speaks.
fn contract_version(names: &Names) -> Result<String, String> {
    let mut found: Option<&str> = None;
    for name in names.imports.iter().chain(&names.exports) {
        let Some(rest) = name.strip_prefix(PACKAGE) else {
            continue;
        };
        let version = rest.split_once('@').map_or("", |(_, version)| version);
        if !VERSIONS.contains(&version) {
            return Err(format!(
                "was built for tollgate:extension@{}; this host speaks {}",
                if version.is_empty() {
                    "(no version)"
                } else {
                    version
                },
                VERSIONS.join(", ")
            ));
        }
        if found.is_some_and(|found| found != version) {
            return Err("mixes versions of tollgate:extension".into());
        }
        found = Some(version);
    }
    found.map(str::to_owned).ok_or_else(|| {
        format!(
            "is a foreign component: it neither imports nor exports anything of tollgate:extension (it imports {} and exports {})",
            listed(&names.imports),
            listed(&names.exports)
        )
    })
}

fn exports(names: &Names, version: &str) -> Result<Vec<Interface>, String> {
    let mut found = Vec::new();
    for export in &names.exports {
        let Some(rest) = export.strip_prefix(PACKAGE) else {
            continue;
        };
        let name = rest.split('@').next().unwrap_or_default();
        match Interface::from_name(name) {
            Some(interface) => found.push(interface),
            None => {
                return Err(format!(
                    "exports `{name}`, which tollgate:extension@{version} does not have"
                ));
            }
        }
    }
    Ok(found)
}

fn check_import(import: &str, outside: &mut Outside) -> Result<(), String> {
    if let Some(rest) = import.strip_prefix(PACKAGE) {
        let name = rest.split('@').next().unwrap_or_default();
        if !known_imports(&outside.version).contains(&name) {
            return Err(format!(
                "imports `{name}`, which tollgate:extension@{} does not offer; it offers {}",
                outside.version,
                known_imports(&outside.version).join(", ")
            ));
        }
        if IMPURE.contains(&name) {
            outside.pure = false;
        }
        return Ok(());
    }
    let Some(rest) = import.strip_prefix("wasi:") else {
        return Err(format!(
            "imports `{import}`; only tollgate:extension and wasi preview 2 are offered"
        ));
    };
    let package = rest.split(['/', '@']).next().unwrap_or_default();
    let version = rest.split_once('@').map_or("", |(_, version)| version);
    if !version.starts_with("0.2.") {
        return Err(format!(
            "imports `{import}`; of WASI only preview 2 (0.2.x) is offered"
        ));
    }
    if !WASI.contains(&package) {
        return Err(format!(
            "imports `{import}`; of WASI only {} are offered, and a component has no network: the host performs exchanges",
            WASI.join(", ")
        ));
    }
    outside.wasi = true;
    outside.pure = false;
    Ok(())
}

fn kind(exports: &[Interface]) -> Result<Kind, String> {
    let has = |interface| exports.contains(&interface);
    let policy: Vec<_> = exports
        .iter()
        .filter(|interface| (Interface::Admission..=Interface::Observation).contains(interface))
        .map(|interface| interface.name().to_owned())
        .collect();
    match (has(Interface::Manifest), has(Interface::Exchange)) {
        (true, true) if policy.is_empty() => Ok(Kind::Provider),
        (true, true) => Err(format!(
            "is a provider and exports policy interfaces too ({}); make it two components",
            policy.join(", ")
        )),
        (true, false) => Err("exports `manifest` but not `exchange`; a provider needs both".into()),
        (false, true) => Err("exports `exchange` but not `manifest`; a provider needs both".into()),
        (false, false) if !policy.is_empty() => Ok(Kind::Policy),
        (false, false) => Err(
            "is neither a provider nor a policy: it exports neither `manifest` and `exchange` nor any policy interface"
                .into(),
        ),
    }
}

fn listed(names: &[String]) -> String {
    if names.is_empty() {
        return "nothing".into();
    }
    let mut shown: Vec<_> = names
        .iter()
        .take(5)
        .map(|name| format!("`{name}`"))
        .collect();
    if names.len() > 5 {
        shown.push("…".into());
    }
    shown.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(imports: &[&str], exports: &[&str]) -> Names {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Names {
            imports: owned(imports),
            exports: owned(exports),
        }
    }

    const MANIFEST: &str = "tollgate:extension/manifest@0.1.0";
    const EXCHANGE: &str = "tollgate:extension/exchange@0.1.0";
    const ADMISSION: &str = "tollgate:extension/admission@0.1.0";

    #[test]
    fn exports_decide_the_kind() {
        let provider = judge(&names(
            &["tollgate:extension/call@0.1.0"],
            &[MANIFEST, EXCHANGE],
        ))
        .unwrap();
        assert_eq!(provider.kind, Kind::Provider);
        assert!(provider.pure && !provider.wasi);
        assert_eq!(judge(&names(&[], &[ADMISSION])).unwrap().kind, Kind::Policy);
        for (exports, why) in [
            (vec![MANIFEST], "needs both"),
            (vec![EXCHANGE], "needs both"),
            (vec![MANIFEST, EXCHANGE, ADMISSION], "make it two"),
            (
                vec!["tollgate:extension/configuration@0.1.0"],
                "neither a provider nor a policy",
            ),
            (vec!["wasi:cli/run@0.2.3"], "foreign component"),
            (vec!["tollgate:extension/telepathy@0.1.0"], "does not have"),
        ] {
            let error = judge(&names(&[], &exports)).unwrap_err();
            assert!(error.contains(why), "{exports:?}: {error}");
        }
    }

    #[test]
    fn an_unknown_version_is_named_together_with_the_known_ones() {
        let error = judge(&names(&[], &["tollgate:extension/admission@9.9.9"])).unwrap_err();
        assert_eq!(
            error,
            "was built for tollgate:extension@9.9.9; this host speaks 0.1.0"
        );
        let mixed = judge(&names(&["tollgate:extension/log@9.9.9"], &[ADMISSION])).unwrap_err();
        assert!(mixed.contains("9.9.9"));
    }

    #[test]
    fn only_allowed_imports_pass_and_impure_ones_are_noted() {
        let with = |import| judge(&names(&[import], &[ADMISSION]));
        assert!(with("tollgate:extension/log@0.1.0").unwrap().pure);
        assert!(!with("tollgate:extension/clock@0.1.0").unwrap().pure);
        assert!(!with("tollgate:extension/credential@0.1.0").unwrap().pure);
        let wasi = with("wasi:io/streams@0.2.6").unwrap();
        assert!(wasi.wasi && !wasi.pure);
        assert!(
            with("wasi:io/streams@0.3.0")
                .unwrap_err()
                .contains("preview 2")
        );
        assert!(
            with("wasi:http/outgoing-handler@0.2.0")
                .unwrap_err()
                .contains("no network")
        );
        assert!(
            with("evil:corp/backdoor@1.0.0")
                .unwrap_err()
                .contains("evil:corp/backdoor")
        );
        assert!(
            with("tollgate:extension/admission@0.1.0")
                .unwrap_err()
                .contains("does not offer")
        );
    }

    #[test]
    fn bytes_that_are_no_component_are_told_apart() {
        let core = wat::parse_str("(module)").unwrap();
        let component = wat::parse_str("(component (core module (func)))").unwrap();
        for (bytes, why) in [
            (&b""[..], "empty"),
            (b"PK\x03\x04 something else", "no WebAssembly"),
            (b"\0asm", "cut short"),
            (&core, "core WebAssembly module"),
            (&component, "foreign component"),
            (&component[..component.len() - 3], "cut short"),
        ] {
            let error = check(bytes, 1000).unwrap_err();
            assert!(error.contains(why), "{why}: {error}");
        }
        assert!(
            check(&component, 8)
                .unwrap_err()
                .contains("max_component_bytes")
        );
    }
}
