//! The vendor's own tools (it runs them itself): those that it does not have are left out or refused, and what such tools did
//! in the history is told where it can be.

use std::collections::{HashMap, HashSet};

use super::members::invalid;
use super::model::{Choice, Conversation, Item, Ran, RanTool, Tool, WebSearch};
use super::names::{ran_id, server_label};
use super::{Headers, Way};
use crate::bridge::{Target, found};
use crate::{ApiError, Dialect, ErrorKind};

/// Makes the tools what this vendor takes: those that it does not have are left out or refused.
pub(super) fn fit(said: &mut Conversation<'_>, to: &Target<'_>, way: Way) -> Result<(), ApiError> {
    way.fit_searches(said, to)?;
    for tool in &said.tools {
        let (why, place, has) = match tool {
            Tool::Mcp(server) => (
                "its vendor calls no MCP servers for it",
                server.place,
                to.abilities.mcp,
            ),
            Tool::Code(place) => (
                "its vendor runs no code for it",
                *place,
                to.abilities.code_execution,
            ),
            _ => continue,
        };
        if !has {
            let param = place.param(way.from);
            let message = format!("`{param}` cannot be sent to this model: {why}.");
            return Err(ApiError::new(ErrorKind::Unsupported, message).with_param(param));
        }
    }
    one_address_each(&said.tools, way)?;
    said.tools = without_repeats(std::mem::take(&mut said.tools));
    Ok(())
}

/// Two servers of one name would be called by it, and nobody knew which.
fn one_address_each(tools: &[Tool<'_>], way: Way) -> Result<(), ApiError> {
    let mut servers = HashMap::new();
    for tool in tools {
        if let Tool::Mcp(server) = tool
            && servers
                .insert(&server.label, &server.url)
                .is_some_and(|url| *url != server.url)
        {
            let param = server.place.param(way.from);
            let message = format!("`{param}` is named as another MCP server is.");
            return Err(invalid(message).with_param(param));
        }
    }
    Ok(())
}

/// A server that is offered twice, and the running of code, is there once: other tools are known by their names.
fn without_repeats(tools: Vec<Tool<'_>>) -> Vec<Tool<'_>> {
    let mut servers = HashSet::new();
    let mut runs = false;
    let repeated: Vec<bool> = tools
        .iter()
        .map(|tool| match tool {
            Tool::Mcp(server) => !servers.insert((&server.label, &server.url)),
            Tool::Code(_) => std::mem::replace(&mut runs, true),
            _ => false,
        })
        .collect();
    let kept = tools.into_iter().zip(repeated);
    kept.filter_map(|(tool, repeated)| (!repeated).then_some(tool))
        .collect()
}

/// The servers that are called otherwise at the vendor: in Responses their labels are short and plain.
pub(super) fn renamed(tools: &[Tool<'_>], to: Dialect) -> HashMap<String, String> {
    let servers = tools.iter().filter_map(|tool| match tool {
        Tool::Mcp(server) if to == Dialect::OpenaiResponses => Some(&*server.label),
        _ => None,
    });
    let named = servers.map(|name| (server_label(name), name));
    named
        .filter(|(label, name)| label != name)
        .map(|(label, name)| (label.into_owned(), name.to_owned()))
        .collect()
}

/// The headers that go with a body for the vendor's own tools: their calls of MCP servers are behind a flag in Messages.
pub(super) fn headers(said: &Conversation<'_>, to: Dialect) -> Headers {
    let calls_servers = said.tools.iter().any(|tool| matches!(tool, Tool::Mcp(_)));
    match to {
        Dialect::AnthropicMessages if calls_servers => {
            &[("anthropic-beta", "mcp-client-2025-11-20")]
        }
        _ => &[],
    }
}

/// Leaves out of the history what vendors' own tools did, where the vendor now asked is not offered the tool: what came of it
/// is in the text that follows. Code is told in Responses only to the vendor whose container it ran in.
pub(super) fn forget(said: &mut Conversation<'_>, to: &Target<'_>) {
    let Conversation {
        items,
        tools,
        choice,
        ..
    } = said;
    let left = |tool: &&Tool<'_>| match &*choice {
        Choice::Allowed { own, .. } => own.leaves(tool),
        _ => true,
    };
    let mut servers = HashSet::new();
    let mut runs = false;
    for tool in tools.iter().filter(left) {
        match tool {
            Tool::Mcp(server) => _ = servers.insert(&server.label),
            Tool::Code(_) => runs = true,
            _ => {}
        }
    }
    let offered = |ran: &Ran<'_>| match &ran.tool {
        RanTool::Mcp { server, .. } => servers.contains(server),
        RanTool::Code(_) => {
            let to_its_own = || found::run_of(&ran.id, to.family).is_some();
            runs && (to.dialect == Dialect::AnthropicMessages || to_its_own())
        }
    };
    let told = |item: &Item<'_>| match item {
        Item::Ran(ran) => ran.came.is_some() && offered(ran),
        _ => true,
    };
    if items.iter().all(told) {
        number_ids(items);
        return;
    }
    let mut kept: Vec<Item<'_>> = Vec::with_capacity(items.len());
    for item in items.drain(..) {
        if told(&item) {
            kept.push(item);
            continue;
        }
        // The reasoning that led to it would lead to nothing, which vendors of Responses refuse.
        while to.dialect == Dialect::OpenaiResponses
            && matches!(kept.last(), Some(Item::Reasoning(_)))
        {
            kept.pop();
        }
    }
    *items = kept;
    number_ids(items);
}

/// Tells calls of one id apart, those that have none among them: a vendor wants each once.
fn number_ids(items: &mut [Item<'_>]) {
    let mut seen = HashSet::new();
    let mut times: HashMap<String, u64> = HashMap::new();
    for item in items {
        let Item::Ran(ran) = item else { continue };
        let id = ran_id("", &ran.id);
        if seen.insert(id.clone()) {
            continue;
        }
        // Counted for each id: to try all numbers for each call was cubic in their number.
        let times = times.entry(id).or_insert(1);
        let own = loop {
            *times += 1;
            let own = format!("{}_{times}", &*ran.id);
            if seen.insert(ran_id("", &own)) {
                break own;
            }
        };
        ran.id = own.into();
    }
}

impl Way {
    /// Whether the vendor is to search the web: else the search is left out. Chat has no words for a search among
    /// certain domains only, and only vendors of Responses have a search that fetches nothing.
    fn searches(self, search: &WebSearch<'_>, to: &Target<'_>) -> bool {
        let narrowed = search.allowed_domains.is_some() || search.blocked_domains.is_some();
        to.abilities.web_search && !search.stored && !(narrowed && self.to == Dialect::OpenaiChat)
    }

    /// Leaves searches out that the vendor cannot make, and refuses them where the client asked for them: only Responses
    /// clients offer them unasked. A choice of a search that is not sent is a 400 of the vendor's, or nothing at all.
    fn fit_searches(self, said: &mut Conversation<'_>, to: &Target<'_>) -> Result<(), ApiError> {
        let made = |tool: &Tool<'_>| match tool {
            Tool::Web(search) => self.searches(search, to),
            _ => true,
        };
        let left_out = said.tools.iter().find_map(|tool| match tool {
            Tool::Web(search) if !made(tool) => Some(search),
            _ => None,
        });
        let searches = |tool: &Tool<'_>| matches!(tool, Tool::Web(_)) && made(tool);
        let unasked = self.from == Dialect::OpenaiResponses;
        let demanded = match said.choice {
            Choice::Web => !said.tools.iter().any(searches),
            Choice::Required => left_out.is_some() && !said.tools.iter().any(made),
            Choice::Allowed {
                required: true,
                ref own,
                ref tools,
            } => unasked && own.is_search() && tools.is_empty() && !said.tools.iter().any(searches),
            _ => false,
        };
        if demanded || (left_out.is_some() && !unasked) {
            let field = match left_out {
                _ if self.from == Dialect::OpenaiChat => "web_search_options",
                Some(search) if search.stored => {
                    "tools[].web_search with external_web_access = false"
                }
                _ => "tools[].web_search",
            };
            let param = left_out.map(|search| search.place.param(self.from));
            return Err(self.refuse(field, param.unwrap_or_else(|| "tool_choice".to_owned())));
        }
        said.tools.retain(made);
        let searched = said.tools.iter().any(|tool| matches!(tool, Tool::Web(_)));
        if let Choice::Allowed { own, tools, .. } = &mut said.choice
            && own.web
            && !searched
        {
            own.web = false;
            if unasked && own.is_empty() && tools.is_empty() {
                said.choice = Choice::None;
            }
        }
        Ok(())
    }
}
