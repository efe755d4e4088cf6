//! The page that documents the contract, written from the contract itself.

use std::fmt::Write as _;

use anyhow::Result;
use wit_parser::{
    Docs, Function, FunctionKind, Handle, Interface, Param, Resolve, Type, TypeDef, TypeDefKind,
    WorldItem,
};

use crate::contract::Contract;

/// The whole page, in Markdown.
pub(crate) fn render(contract: &Contract) -> Result<String> {
    let mut page = Page {
        resolve: &contract.resolve,
        out: String::new(),
    };
    let package = &contract.resolve.packages[contract.package];
    writeln!(
        page.out,
        "<!-- Written by `cargo xtask wit --write` from wit/{}. -->\n",
        contract.version
    )?;
    writeln!(page.out, "# `{}`\n", package.name)?;
    page.docs(&package.docs)?;
    let exporters = |name: &str| {
        let exports = |world: &str| contract.exports(world).iter().any(|export| export == name);
        (exports("provider"), exports("policy"))
    };
    let sections = [
        ("What a provider may export", (true, false)),
        ("What a policy may export", (false, true)),
        ("What either may export", (true, true)),
        ("What the host offers", (false, false)),
    ];
    for (title, wanted) in sections {
        writeln!(page.out, "## {title}\n")?;
        for (name, id, _) in contract.interfaces() {
            if exporters(&name) == wanted {
                page.interface(&name, &contract.resolve.interfaces[id])?;
            }
        }
    }
    writeln!(page.out, "## Worlds\n")?;
    for (name, id) in &package.worlds {
        let world = &contract.resolve.worlds[*id];
        writeln!(page.out, "### `{name}`\n")?;
        page.docs(&world.docs)?;
        page.items("Imports", world.imports.values())?;
        page.items("Exports", world.exports.values())?;
    }
    Ok(page.out.trim_end().to_owned() + "\n")
}

/// Everything in the contract that has no words of its own, by its place. A parameter cannot carry a comment in WIT: the
/// function's own must name it, in backticks.
pub(crate) fn undocumented(contract: &Contract) -> Vec<String> {
    let resolve = &contract.resolve;
    let package = &resolve.packages[contract.package];
    let mut missing = Vec::new();
    let mut needs = |docs: &Docs, what: String| {
        let text = docs.contents.as_deref().unwrap_or_default().trim();
        if text.is_empty() {
            missing.push(what);
        }
    };
    needs(&package.docs, format!("package {}", package.name));
    for (name, id, _) in contract.interfaces() {
        let interface = &resolve.interfaces[id];
        needs(&interface.docs, format!("interface {name}"));
        for (type_name, of) in &interface.types {
            let of = &resolve.types[*of];
            // `use` makes an alias; it is documented where it comes from.
            if matches!(of.kind, TypeDefKind::Type(_)) {
                continue;
            }
            needs(&of.docs, format!("{name}: type {type_name}"));
            for (part, docs) in parts(&of.kind) {
                needs(docs, format!("{name}: {type_name}.{part}"));
            }
        }
        for function in interface.functions.values() {
            needs(
                &function.docs,
                format!("{name}: function {}", function.name),
            );
            let text = function.docs.contents.as_deref().unwrap_or_default();
            for param in parameters(function) {
                if !text.contains(&format!("`{}`", param.name)) {
                    let what = format!("{name}: parameter `{}` of {}", param.name, function.name);
                    needs(&Docs::default(), what);
                }
            }
        }
    }
    for (name, id) in &package.worlds {
        needs(&resolve.worlds[*id].docs, format!("world {name}"));
    }
    missing
}

/// Fields, cases and flags of a type.
fn parts(kind: &TypeDefKind) -> Vec<(&str, &Docs)> {
    match kind {
        TypeDefKind::Record(of) => of.fields.iter().map(|f| (&*f.name, &f.docs)).collect(),
        TypeDefKind::Variant(of) => of.cases.iter().map(|c| (&*c.name, &c.docs)).collect(),
        TypeDefKind::Enum(of) => of.cases.iter().map(|c| (&*c.name, &c.docs)).collect(),
        TypeDefKind::Flags(of) => of.flags.iter().map(|f| (&*f.name, &f.docs)).collect(),
        _ => Vec::new(),
    }
}

/// A function's parameters, without the resource that a method belongs to.
fn parameters(function: &Function) -> &[Param] {
    let method = matches!(function.kind, FunctionKind::Method(_));
    &function.params[usize::from(method)..]
}

struct Page<'a> {
    resolve: &'a Resolve,
    out: String,
}

impl Page<'_> {
    fn docs(&mut self, docs: &Docs) -> Result<()> {
        if let Some(text) = &docs.contents {
            writeln!(self.out, "{}\n", text.trim_end())?;
        }
        Ok(())
    }

    /// Documentation inside a list, indented with it.
    fn item_docs(&mut self, docs: &Docs) -> Result<()> {
        match &docs.contents {
            Some(text) => writeln!(self.out, ": {}", text.trim().replace('\n', "\n  "))?,
            None => writeln!(self.out)?,
        }
        Ok(())
    }

    fn interface(&mut self, name: &str, interface: &Interface) -> Result<()> {
        writeln!(self.out, "### `{name}`\n")?;
        self.docs(&interface.docs)?;
        for (name, id) in &interface.types {
            let type_of = &self.resolve.types[*id];
            self.type_of(name, type_of)?;
            if matches!(type_of.kind, TypeDefKind::Resource) {
                let methods = interface
                    .functions
                    .values()
                    .filter(|function| function.kind.resource() == Some(*id));
                self.functions(methods)?;
            }
        }
        let free = interface
            .functions
            .values()
            .filter(|function| function.kind.resource().is_none());
        self.functions(free)
    }

    fn type_of(&mut self, name: &str, of: &TypeDef) -> Result<()> {
        let word = match &of.kind {
            // `use` makes an alias; it is documented where it comes from.
            TypeDefKind::Type(_) => return Ok(()),
            kind => kind.as_str(),
        };
        writeln!(self.out, "#### {word} `{name}`\n")?;
        self.docs(&of.docs)?;
        match &of.kind {
            TypeDefKind::Record(record) => {
                for field in &record.fields {
                    write!(self.out, "- `{}: {}`", field.name, self.name_of(&field.ty))?;
                    self.item_docs(&field.docs)?;
                }
            }
            TypeDefKind::Variant(variant) => {
                for case in &variant.cases {
                    let payload = case.ty.as_ref().map(|ty| format!("({})", self.name_of(ty)));
                    write!(self.out, "- `{}{}`", case.name, payload.unwrap_or_default())?;
                    self.item_docs(&case.docs)?;
                }
            }
            TypeDefKind::Enum(of) => {
                for case in &of.cases {
                    write!(self.out, "- `{}`", case.name)?;
                    self.item_docs(&case.docs)?;
                }
            }
            TypeDefKind::Flags(flags) => {
                for flag in &flags.flags {
                    write!(self.out, "- `{}`", flag.name)?;
                    self.item_docs(&flag.docs)?;
                }
            }
            TypeDefKind::Resource => return Ok(()),
            other => writeln!(self.out, "`{}`", self.kind_name(other))?,
        }
        writeln!(self.out)?;
        Ok(())
    }

    fn functions<'f>(&mut self, functions: impl Iterator<Item = &'f Function>) -> Result<()> {
        let mut any = false;
        for function in functions {
            any = true;
            write!(self.out, "- `{}`", self.signature(function))?;
            self.item_docs(&function.docs)?;
        }
        if any {
            writeln!(self.out)?;
        }
        Ok(())
    }

    fn signature(&self, function: &Function) -> String {
        let params: Vec<String> = parameters(function)
            .iter()
            .map(|param| format!("{}: {}", param.name, self.name_of(&param.ty)))
            .collect();
        let params = params.join(", ");
        if let FunctionKind::Constructor(_) = function.kind {
            return format!("constructor({params})");
        }
        let result = function
            .result
            .as_ref()
            .map(|result| format!(" -> {}", self.name_of(result)));
        format!(
            "{}: func({params}){}",
            function.item_name(),
            result.unwrap_or_default()
        )
    }

    fn items<'i>(&mut self, word: &str, items: impl Iterator<Item = &'i WorldItem>) -> Result<()> {
        let names = items.filter_map(|item| match item {
            WorldItem::Interface { id, .. } => self.resolve.interfaces[*id].name.as_ref(),
            _ => None,
        });
        let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
        if !names.is_empty() {
            writeln!(self.out, "{word}: {}.\n", names.join(", "))?;
        }
        Ok(())
    }

    fn name_of(&self, of: &Type) -> String {
        let word = match of {
            Type::Id(id) => {
                let definition = &self.resolve.types[*id];
                return match &definition.name {
                    Some(name) => name.clone(),
                    None => self.kind_name(&definition.kind),
                };
            }
            Type::Bool => "bool",
            Type::U8 => "u8",
            Type::U16 => "u16",
            Type::U32 => "u32",
            Type::U64 => "u64",
            Type::S8 => "s8",
            Type::S16 => "s16",
            Type::S32 => "s32",
            Type::S64 => "s64",
            Type::F32 => "f32",
            Type::F64 => "f64",
            Type::Char => "char",
            Type::String => "string",
            Type::ErrorContext => "error-context",
        };
        word.to_owned()
    }

    fn kind_name(&self, kind: &TypeDefKind) -> String {
        let or_blank = |of: &Option<Type>| {
            of.as_ref()
                .map_or_else(|| "_".to_owned(), |of| self.name_of(of))
        };
        let resource = |id| self.name_of(&Type::Id(id));
        match kind {
            TypeDefKind::Handle(Handle::Own(id)) => resource(*id),
            TypeDefKind::Handle(Handle::Borrow(id)) => format!("borrow<{}>", resource(*id)),
            TypeDefKind::Tuple(tuple) => {
                let names: Vec<String> = tuple.types.iter().map(|of| self.name_of(of)).collect();
                format!("tuple<{}>", names.join(", "))
            }
            TypeDefKind::Option(of) => format!("option<{}>", self.name_of(of)),
            TypeDefKind::Result(of) if of.err.is_none() => match &of.ok {
                Some(ok) => format!("result<{}>", self.name_of(ok)),
                None => "result".to_owned(),
            },
            TypeDefKind::Result(of) => {
                format!("result<{}, {}>", or_blank(&of.ok), or_blank(&of.err))
            }
            TypeDefKind::List(of) => format!("list<{}>", self.name_of(of)),
            TypeDefKind::Type(of) => self.name_of(of),
            other => other.as_str().to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_item_is_on_the_page() {
        let contract = Contract::read("0.1.0").unwrap();
        let page = render(&contract).unwrap();
        for line in [
            "- `prepare: func(call: borrow<call>) -> result<plan, failure>`: Describes the request",
            "- `headers: list<tuple<string, string>>`: Header names",
            "- `deny(denial)`: The request is refused.",
            "- `configure: func(config: string) -> result<_, string>`: Called once",
            "- `constructor(request: borrow<request>, kind: string)`: A channel of the answer",
            "- `read: func(body: list<u8>) -> result<page, string>`: The models in",
            "#### resource `request`",
        ] {
            assert!(page.contains(line), "{line}");
        }
    }

    #[test]
    fn nothing_of_the_contract_is_undocumented() {
        let contract = Contract::read("0.1.0").unwrap();
        assert_eq!(undocumented(&contract), [""; 0]);
    }

    #[test]
    fn whatever_lacks_its_words_is_named() {
        let text = "
            package tollgate:extension@0.1.0;
            interface bare {
                record pair { one: u8, /// Said.
                    two: u8 }
                variant choice { left, right }
                enum colour { red }
                flags set { a }
                resource thing {
                    /// Takes `given`.
                    constructor(given: u8, forgotten: u8);
                    get: func() -> u8;
                }
                run: func(it: u8);
            }
            world w { export bare; }
        ";
        let mut resolve = Resolve::default();
        let package = resolve.push_str("bare.wit", text).unwrap();
        let contract = Contract {
            version: "0.1.0".to_owned(),
            resolve,
            package,
        };
        let expected = [
            "package tollgate:extension@0.1.0",
            "interface bare",
            "bare: type pair",
            "bare: pair.one",
            "bare: type choice",
            "bare: choice.left",
            "bare: choice.right",
            "bare: type colour",
            "bare: colour.red",
            "bare: type set",
            "bare: set.a",
            "bare: type thing",
            "bare: parameter `forgotten` of [constructor]thing",
            "bare: function [method]thing.get",
            "bare: function run",
            "bare: parameter `it` of run",
            "world w",
        ];
        assert_eq!(undocumented(&contract), expected);
    }
}
