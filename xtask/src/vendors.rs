//! No vendor is named in `runtime/`: a vendor is a component, and the host learns of it from the component alone.
//!
//! OpenAI and Anthropic are words of the wire dialects too (`openai-chat`, `anthropic-version`), so of them only the
//! forms are refused that name the vendor: a whole string (the name of a provider), a host, a prefix of a model.

use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::tools::{self, say};

/// Names that are found anywhere, also within an identifier.
const NAMES: [&str; 33] = [
    "alibaba",
    "aliyun",
    "azure",
    "baidu",
    "bedrock",
    "bigmodel",
    "bytedance",
    "cerebras",
    "dashscope",
    "deepseek",
    "doubao",
    "fireworks",
    "gemini",
    "google",
    "groq",
    "huggingface",
    "hunyuan",
    "minimax",
    "mistral",
    "moonshot",
    "nvidia",
    "ollama",
    "openrouter",
    "perplexity",
    "qianfan",
    "qwen",
    "siliconflow",
    "stepfun",
    "tencent",
    "vercel",
    "volcengine",
    "zhipu",
    "z.ai",
];

/// Names that are parts of other words: found only where they stand as a word of their own.
const WORDS: [&str; 13] = [
    "amz", "amzn", "ark", "aws", "cohere", "ernie", "glm", "goog", "grok", "kimi", "tc3", "vertex",
    "xai",
];

/// The vendors whose names are words of the dialects.
const DIALECTS: [&str; 2] = ["anthropic", "openai"];

/// Providers that are no vendor's.
const OURS: [&str; 1] = ["echo"];

/// Where a name may stand all the same: file, what the line holds, why.
const ALLOWED: [(&str, &str, &str); 5] = [
    (
        "plugin/tests/frozen.rs",
        "X-Goog-Api-Key",
        "a header in which callers bring keys, as a guest might ask for it",
    ),
    ("plugin/tests/frozen.rs", "x-amz-security-token", "the same"),
    (
        "plugin/src/visible.rs",
        "x-amzn-",
        "headers of a load balancer in front, which tells callers' identities in one of them",
    ),
    (
        "plugin/src/visible.rs",
        "TC3-HMAC",
        "what a caller's signature begins with, as test data",
    ),
    (
        "vault/src/credential.rs",
        "AWS4",
        "a prefix of the HMAC key in a published scheme, as test data",
    ),
];

/// Looks through every file of `runtime/`, names of files included.
pub(crate) fn check() -> Result<()> {
    let root = tools::root();
    every_provider_is_looked_for(&root)?;
    let files = tools::files_under(&root.join("runtime"))?;
    let mut found = Vec::new();
    for file in &files {
        let name = file.strip_prefix(&root).unwrap_or(file);
        let bytes =
            std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        let lines = name.to_string_lossy().into_owned();
        let text = String::from_utf8_lossy(&bytes);
        for (number, line) in std::iter::once(lines.as_str())
            .chain(text.lines())
            .enumerate()
        {
            if let Some(vendor) = vendor_in(line)
                && !is_allowed(name, line)
            {
                found.push(format!(
                    "{}:{number}: {vendor}: {}",
                    name.display(),
                    line.trim()
                ));
            }
        }
    }
    if !found.is_empty() {
        bail!(
            "{} lines of runtime/ name a vendor; the host must not know any:\n  {}",
            found.len(),
            found.join("\n  ")
        );
    }
    say(&format!(
        "vendors: none is named in the {} files of runtime/",
        files.len()
    ));
    Ok(())
}

/// A vendor whose component is here has a name that is looked for: the tables above do not know the next one.
fn every_provider_is_looked_for(root: &Path) -> Result<()> {
    for entry in std::fs::read_dir(root.join("guest-providers"))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let known = DIALECTS.contains(&name.as_str()) || vendor_in(&name).is_some();
        if entry.path().is_dir() && !known && !OURS.contains(&name.as_str()) {
            bail!("guest-providers/{name}: add the name to the tables of xtask/src/vendors.rs");
        }
    }
    Ok(())
}

fn is_allowed(file: &Path, line: &str) -> bool {
    ALLOWED
        .iter()
        .any(|(allowed, held, _)| file.ends_with(allowed) && line.contains(held))
}

/// The vendor that a line names.
fn vendor_in(line: &str) -> Option<&'static str> {
    let lower = line.to_ascii_lowercase();
    NAMES
        .into_iter()
        .find(|name| lower.contains(name))
        .or_else(|| {
            WORDS
                .into_iter()
                .find(|name| words(line).any(|word| word.eq_ignore_ascii_case(name)))
        })
        .or_else(|| DIALECTS.into_iter().find(|name| is_vendor(&lower, name)))
}

/// The words of identifiers and of prose: runs of letters, cut where a capital follows a small letter.
fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_ascii_alphabetic())
        .flat_map(|run| {
            let bytes = run.as_bytes();
            let mut start = 0;
            let mut parts = Vec::new();
            for at in 1..bytes.len() {
                if bytes[at].is_ascii_uppercase() && bytes[at - 1].is_ascii_lowercase() {
                    parts.push(&run[start..at]);
                    start = at;
                }
            }
            parts.push(&run[start..]);
            parts
        })
}

/// Whether the word stands for the vendor rather than for its dialect.
fn is_vendor(lower: &str, name: &str) -> bool {
    lower.match_indices(name).any(|(at, _)| {
        let before = lower[..at].chars().next_back();
        let after = &lower[at + name.len()..];
        let whole = before == Some('"') && after.starts_with('"');
        let host = after.starts_with(".com") || after.starts_with(".azure");
        let prefix = after.starts_with('/') || after.starts_with("%2f");
        whole || host || prefix
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vendors_are_found_in_identifiers_strings_and_prose() {
        for (line, vendor) in [
            ("// as Google does", "google"),
            ("struct KimiProvider;", "kimi"),
            ("if provider == \"openai\" {", "openai"),
            ("\"https://api.anthropic.com\"", "anthropic"),
            ("get(\"/v1/models/openai/gpt\")", "openai"),
            ("let ark_region = 1;", "ark"),
            ("https://ark.cn-beijing.example", "ark"),
            ("\"MiniMax-M3\"", "minimax"),
        ] {
            assert_eq!(vendor_in(line), Some(vendor), "{line}");
        }
    }

    #[test]
    fn words_of_the_dialects_and_words_that_hold_a_name_are_none() {
        for line in [
            "Dialect::OpenaiChat => \"openai-chat\"",
            "headers.contains_key(\"anthropic-version\")",
            "export OPENAI_BASE_URL",
            "/// Anthropic's form.",
            "mark, market, coherent, glmark, sparks",
        ] {
            assert_eq!(vendor_in(line), None, "{line}");
        }
    }

    #[test]
    fn what_is_allowed_is_allowed_in_its_file_only() {
        let line = "    \"X-Goog-Api-Key\",";
        assert!(is_allowed(
            Path::new("runtime/plugin/tests/frozen.rs"),
            line
        ));
        assert!(!is_allowed(Path::new("runtime/gateway/src/admit.rs"), line));
    }
}
