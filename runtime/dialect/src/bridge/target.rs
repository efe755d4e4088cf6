//! What the bridge must know of the vendor and the model it writes for.

use super::Efforts;
use crate::Dialect;

/// Where a bridged request goes.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// The vendor's dialect.
    pub dialect: Dialect,
    /// The vendor's family: whose opaque reasoning it accepts.
    pub family: &'a str,
    /// The model's name at the vendor.
    pub model: &'a str,
    /// The most tokens the model answers with, if known. A larger cap of the client is lowered to it.
    pub max_output_tokens: Option<u64>,
    /// The cap where the client named none and the dialect requires one; the model's maximum if absent.
    pub default_output_tokens: Option<u64>,
    /// What the model and its vendor can do besides the dialect's core.
    pub abilities: Abilities,
}

/// The cap where neither the client nor the manifest names one and the dialect requires one.
const SAFE_OUTPUT_TOKENS: u64 = 8_192;

impl Target<'_> {
    /// The output cap for a client that named `asked`.
    pub(crate) fn output_cap(&self, asked: Option<u64>) -> Option<u64> {
        match (asked, self.max_output_tokens) {
            (Some(asked), Some(most)) if most > 0 => Some(asked.min(most)),
            (asked, _) => asked,
        }
    }

    /// The output cap where the dialect requires one.
    pub(crate) fn required_output_cap(&self, asked: Option<u64>) -> u64 {
        let most = self.max_output_tokens.filter(|most| *most > 0);
        self.output_cap(asked).unwrap_or_else(|| {
            let usual = self.default_output_tokens.or(most);
            let usual = usual.unwrap_or(SAFE_OUTPUT_TOKENS);
            most.map_or(usual, |most| usual.min(most))
        })
    }
}

/// What a model and its vendor can do besides the dialect's core. Manifests name abilities as strings; this is what they
/// mean to the bridge. Vendor quirks beyond these are mended by the vendor's component, which edits what is written here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Abilities {
    /// `reasoning`: the model reasons when told to.
    pub reasoning: bool,
    /// `effort-low` and its like: the efforts that the model knows.
    pub efforts: Efforts,
    /// `always-thinks`: reasoning cannot be turned off.
    pub always_thinks: bool,
    /// `adaptive-thinking` (Messages): how hard to think is said as an effort, not as a budget of tokens.
    pub adaptive_thinking: bool,
    /// `structured-output`: the vendor enforces a JSON schema on the answer. Chat and Responses always do.
    pub structured_output: bool,
    /// `custom-tools`: free-form tools (Chat, Responses).
    pub custom_tools: bool,
    /// `web-search`: the vendor searches the web itself.
    pub web_search: bool,
    /// `mcp` (Responses, Messages): the vendor calls tools of remote MCP servers itself.
    pub mcp: bool,
    /// `code-execution` (Responses, Messages): the vendor runs code itself.
    pub code_execution: bool,
    /// `reasoning-summaries` (Responses): whoever asks for a summary of the reasoning gets one.
    pub reasoning_summaries: bool,
    /// `no-sampling`: temperature and its kin are refused.
    pub no_sampling: bool,
    /// `one-sampling-parameter` (Messages): of temperature and `top_p` only one is taken.
    pub one_sampling_parameter: bool,
    /// `no-required-tool`: that some tool must be called is refused.
    pub no_required_tool: bool,
    /// `no-named-tool`: that a certain tool must be called is refused.
    pub no_named_tool: bool,
    /// `reasoning-content` (Chat): reasoning text is taken back in the history.
    pub reasoning_content: bool,
    /// `developer-role` (Chat): instructions have a role `developer`; else they are `system`.
    pub developer_role: bool,
    /// `string-content` (Chat): contents that are text only must be one string, not parts.
    pub string_content: bool,
    /// `max-completion-tokens` (Chat): the output cap has its newer name; else it is `max_tokens`.
    pub max_completion_tokens: bool,
    /// `system-messages` (Messages): instructions may stand in the midst of a conversation.
    pub system_messages: bool,
    /// `cache-control` (Chat): content parts may carry cache marks.
    pub cache_control: bool,
    /// `prompt-cache-key` (Chat, Responses): the vendor takes a key of its prompt cache.
    pub prompt_cache_key: bool,
    /// `prompt-cache-breakpoints` (Chat, Responses): content parts may carry marks of the vendor's own prompt cache.
    pub prompt_cache_breakpoints: bool,
    /// `verbosity` (Chat, Responses): how much the model says can be set.
    pub verbosity: bool,
}

/// Abilities that mean nothing to the bridge, but to lists of models.
const TOLD: [&str; 3] = ["tools", "parallel-tools", "vision"];

impl Abilities {
    /// Whether a name means anything here. Of a manifest's any is taken, as it may be for a later host.
    #[must_use]
    pub fn is_known(name: &str) -> bool {
        TOLD.contains(&name) || Self::from_names([name]) != Self::default()
    }

    /// The abilities that these names mean; others are not the bridge's.
    pub fn from_names<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut found = Self::default();
        for name in names {
            match name {
                "reasoning" => found.reasoning = true,
                "always-thinks" => found.always_thinks = true,
                "adaptive-thinking" => found.adaptive_thinking = true,
                "structured-output" => found.structured_output = true,
                "custom-tools" => found.custom_tools = true,
                "web-search" => found.web_search = true,
                "mcp" => found.mcp = true,
                "code-execution" => found.code_execution = true,
                "reasoning-summaries" => found.reasoning_summaries = true,
                "no-sampling" => found.no_sampling = true,
                "one-sampling-parameter" => found.one_sampling_parameter = true,
                "no-required-tool" => found.no_required_tool = true,
                "no-named-tool" => found.no_named_tool = true,
                "reasoning-content" => found.reasoning_content = true,
                "developer-role" => found.developer_role = true,
                "string-content" => found.string_content = true,
                "max-completion-tokens" => found.max_completion_tokens = true,
                "system-messages" => found.system_messages = true,
                "cache-control" => found.cache_control = true,
                "prompt-cache-key" => found.prompt_cache_key = true,
                "prompt-cache-breakpoints" => found.prompt_cache_breakpoints = true,
                "verbosity" => found.verbosity = true,
                other => found.efforts.learn(other),
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ability_that_means_something_is_in_the_contracts_table() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../wit/README.md");
        let readme = std::fs::read_to_string(file).unwrap();
        let names = readme.lines().flat_map(|line| {
            let first = line
                .strip_prefix("| ")
                .and_then(|row| row.split(" | ").next());
            first.unwrap_or_default().split('`').skip(1).step_by(2)
        });
        // Each field is named by some row: none is left false.
        let all = format!("{:?}", Abilities::from_names(names));
        assert!(
            all.contains("reasoning: true") && !all.contains("false"),
            "{all}"
        );
    }
}
