//! Names and ids that the target takes: the client's own wherever it can.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use super::model::{Call, Input, Item, Tool, ToolRef};
use crate::bridge::{ClientTool, ToolName};

/// What Messages vendors call their own search.
pub(super) const WEB_SEARCH: &str = "web_search";

/// And their own running of code.
pub(super) const CODE_EXECUTION: &str = "code_execution";

/// What a tool is to the client.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Function,
    Custom,
    Item(ClientTool),
}

/// What tools are called at the vendor.
#[derive(Debug)]
pub(crate) struct Names<'a> {
    limit: usize,
    wire: HashMap<(Option<&'a str>, &'a str), String>,
    /// Tools that the client knows by their type, which may have a function of their name beside them.
    items: HashMap<ClientTool, String>,
    tools: Vec<ToolName>,
}

impl<'a> Names<'a> {
    /// Names for these tools, and those called in the history, of at most `limit` letters.
    pub(crate) fn new(tools: &'a [Tool<'_>], items: &'a [Item<'_>], limit: usize) -> Self {
        let mut names = Self {
            limit,
            wire: HashMap::new(),
            items: HashMap::new(),
            tools: Vec::new(),
        };
        let mut taken = HashSet::new();
        // The vendor's own tools may have names too, and always these.
        for tool in tools {
            match tool {
                Tool::Web(_) => _ = taken.insert(WEB_SEARCH.to_owned()),
                Tool::Code(_) => _ = taken.insert(CODE_EXECUTION.to_owned()),
                _ => {}
            }
        }
        for tool in tools {
            let (namespace, name, kind) = match tool {
                Tool::Function(tool) => (tool.namespace.as_deref(), &*tool.name, Kind::Function),
                Tool::Custom(tool) => (tool.namespace.as_deref(), &*tool.name, Kind::Custom),
                Tool::Item(item) => (None, item.tool.name(), Kind::Item(item.tool)),
                Tool::Web(_) | Tool::Mcp(_) | Tool::Code(_) => continue,
            };
            names.add(namespace, name, kind, &mut taken);
        }
        for item in items {
            let Item::Call(call) = item else { continue };
            let kind = match call.input {
                Input::Object(_) | Input::Json(_) => Kind::Function,
                Input::Free(_) => Kind::Custom,
                Input::Item(tool, _) => Kind::Item(tool),
            };
            names.add(call.namespace.as_deref(), &call.name, kind, &mut taken);
        }
        names
    }

    fn add(
        &mut self,
        namespace: Option<&'a str>,
        name: &'a str,
        kind: Kind,
        taken: &mut HashSet<String>,
    ) {
        let known = match kind {
            Kind::Item(tool) => self.items.contains_key(&tool),
            Kind::Function | Kind::Custom => self.wire.contains_key(&(namespace, name)),
        };
        if known {
            return;
        }
        let joined = match namespace {
            Some(namespace) => Cow::Owned(format!("{namespace}__{name}")),
            None => Cow::Borrowed(name),
        };
        let mut wire = fitting(&joined, self.limit).into_owned();
        if !taken.insert(wire.clone()) {
            // Another tool has become the same: told apart by what it was.
            wire = hashed(
                &format!("{}\n{name}", namespace.unwrap_or_default()),
                &wire,
                self.limit,
            );
            taken.insert(wire.clone());
        }
        if wire != name || kind != Kind::Function {
            self.tools.push(ToolName {
                wire: wire.clone(),
                name: name.to_owned(),
                namespace: namespace.map(str::to_owned),
                custom: kind == Kind::Custom,
                item: match kind {
                    Kind::Item(tool) => Some(tool),
                    Kind::Function | Kind::Custom => None,
                },
            });
        }
        match kind {
            Kind::Item(tool) => _ = self.items.insert(tool, wire),
            Kind::Function | Kind::Custom => _ = self.wire.insert((namespace, name), wire),
        }
    }

    /// What a tool is called at the vendor.
    pub(crate) fn wire<'n>(&'n self, namespace: Option<&'n str>, name: &'n str) -> Cow<'n, str> {
        match self.wire.get(&(namespace, name)) {
            Some(wire) => Cow::Borrowed(wire),
            None => fitting(name, self.limit),
        }
    }

    /// What a tool that the client knows by its type is called at the vendor.
    pub(crate) fn item(&self, tool: ClientTool) -> &str {
        self.items.get(&tool).map_or(tool.name(), String::as_str)
    }

    /// What a chosen tool is called at the vendor.
    pub(crate) fn chosen<'n>(&'n self, tool: &'n ToolRef<'_>) -> Cow<'n, str> {
        match tool.item {
            Some(item) => Cow::Borrowed(self.item(item)),
            None => self.wire(tool.namespace.as_deref(), &tool.name),
        }
    }

    /// What a called tool is called at the vendor.
    pub(crate) fn called<'n>(&'n self, call: &'n Call<'_>) -> Cow<'n, str> {
        match call.input {
            Input::Item(tool, _) => Cow::Borrowed(self.item(tool)),
            _ => self.wire(call.namespace.as_deref(), &call.name),
        }
    }

    /// What tools called in the history are named at the vendor, each once, in order.
    pub(crate) fn into_tools(self) -> Vec<ToolName> {
        self.tools
    }
}

/// Whether every dialect takes this as a name or an id.
fn plain(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

/// The name itself where it is short and plain enough, else what can be made of it, with its hash.
pub(crate) fn fitting(name: &str, limit: usize) -> Cow<'_, str> {
    if name.len() <= limit && !name.is_empty() && plain(name) {
        Cow::Borrowed(name)
    } else {
        Cow::Owned(hashed(name, name, limit))
    }
}

/// The beginning of `name`, made plain, and the hash of `whole`.
fn hashed(whole: &str, name: &str, limit: usize) -> String {
    let mut made: String = name
        .bytes()
        .take(limit.saturating_sub(17))
        .map(|byte| match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'_' | b'-' => char::from(byte),
            _ => '_',
        })
        .collect();
    made.push('_');
    made.push_str(&format!("{:016x}", fnv(whole)));
    made
}

/// An id that the target takes. `any_letter`: only its length matters.
pub(crate) fn id(id: &str, limit: usize, any_letter: bool) -> Cow<'_, str> {
    if any_letter && id.len() <= limit && !id.is_empty() {
        Cow::Borrowed(id)
    } else {
        fitting(id, limit)
    }
}

/// The id of a tool that the vendor ran, as a dialect begins it (`mcp_` in Responses, `mcptoolu_` in Messages, …). What stands
/// behind the beginning goes there and back as it is where it is short and plain, as vendors' own are.
pub(crate) fn ran_id(begin: &str, id: &str) -> String {
    let rest = ["mcptoolu_", "mcp_"]
        .iter()
        .find_map(|known| id.strip_prefix(known))
        .unwrap_or(id);
    format!("{begin}{}", fitting(rest, 55).replace('-', "_"))
}

/// The label of an MCP server that vendors of Responses take.
pub(crate) fn server_label(name: &str) -> Cow<'_, str> {
    fitting(name, 64)
}

/// An opaque identifier of at most `limit` letters: itself, or its hash.
pub(crate) fn identifier(text: &str, limit: usize) -> Cow<'_, str> {
    if text.chars().count() <= limit {
        return Cow::Borrowed(text);
    }
    // Twice, forwards and with its length, so that two of them never meet by accident.
    let salted = format!("{}:{text}", text.len());
    Cow::Owned(format!("{:016x}{:016x}", fnv(text), fnv(&salted)))
}

/// FNV-1a: short, stable over versions and machines, and nothing here is secret.
fn fnv(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::super::model::Function;
    use super::*;

    #[test]
    fn what_fits_stays_and_what_does_not_is_told_apart() {
        assert_eq!(fitting("get_weather-2", 64), "get_weather-2");
        let long = "mcp__".repeat(20);
        let other = format!("{long}x");
        let (made, another) = (fitting(&long, 64), fitting(&other, 64));
        assert!(
            made.len() <= 64 && plain(&made) && made != another,
            "{made}"
        );
        assert_eq!(fitting(&long, 64), made, "the same every time");
        assert!(plain(&fitting("functions.x:0", 64)));
        assert_eq!(id("functions.x:0", 64, true), "functions.x:0");
        assert!(!fitting("", 64).is_empty());
        assert_eq!(identifier("user-1", 64), "user-1");
        assert_eq!(identifier(&"u".repeat(65), 64).len(), 32);
    }

    #[test]
    fn tools_that_become_the_same_are_told_apart() {
        let tool = |namespace: Option<&'static str>, name: &'static str| {
            Tool::Function(Function {
                name: name.into(),
                namespace: namespace.map(Into::into),
                ..Function::default()
            })
        };
        let tools = [tool(None, "a__b"), tool(Some("a"), "b"), tool(None, "a.b")];
        let names = Names::new(&tools, &[], 64);
        let wires: HashSet<_> = [(None, "a__b"), (Some("a"), "b"), (None, "a.b")]
            .into_iter()
            .map(|(namespace, name)| names.wire(namespace, name).into_owned())
            .collect();
        assert_eq!(wires.len(), 3, "{wires:?}");
        let changed = names.into_tools();
        assert_eq!(changed.len(), 2);
        assert_eq!(changed[0].namespace.as_deref(), Some("a"));
        assert_eq!(changed[1].name, "a.b");
    }
}
