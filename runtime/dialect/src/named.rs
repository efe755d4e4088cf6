//! Input that a request only names: the vendor fetches it, and charges for what nobody here has seen.

use std::sync::LazyLock;

use memchr::memmem::Finder;

use crate::json::walk::{Raw, Shape};
use crate::{Document, Operation};

/// What a request names instead of sending it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NamedInput {
    /// Images, by an address or by the id of a file at the vendor.
    pub images: u64,
    /// Files of whatever length: documents, videos.
    pub files: u64,
}

/// Nothing is named without one of these; a name may be written with escapes.
static MARKS: LazyLock<[Finder<'_>; 3]> =
    LazyLock::new(|| ["url\"", "\"file_id\"", "\\u00"].map(Finder::new));
const IMAGES: [&str; 3] = ["input_image", "image_url", "computer_screenshot"];
const FILES: [&str; 5] = ["input_file", "file", "file_url", "video_url", "input_video"];
/// The parts of a result of a tool are the deepest.
const DEPTH: u32 = 16;

/// Looks for input that is only named.
pub fn named_input(document: &Document, operation: Operation) -> NamedInput {
    let mut found = NamedInput::default();
    let member = match operation.reads_as() {
        Operation::Responses => "input",
        Operation::ChatCompletions | Operation::Messages => "messages",
        _ => return found,
    };
    if let Some(content) = document.get(member)
        && MARKS.iter().any(|mark| mark.find(content).is_some())
    {
        found.visit(Raw::new(content), DEPTH);
    }
    found
}

impl NamedInput {
    fn visit(&mut self, value: Raw<'_>, depth: u32) {
        let Some(depth) = depth.checked_sub(1) else {
            return;
        };
        if value.shape() == Shape::Array {
            value.items().for_each(|item| self.visit(item, depth));
            return;
        }
        let kind = value.get("type");
        let is =
            |words: &[&str]| kind.is_some_and(|kind| words.iter().any(|word| kind.is_word(word)));
        if is(&[
            "tool_use",
            "server_tool_use",
            "mcp_tool_use",
            "file_search_call",
        ]) {
            // The model's own words, whatever they are called, and what was found once.
            return;
        }
        for (key, value) in value.members() {
            match &*key.bytes() {
                b"file_id" | b"image_url" if is(&IMAGES) => {
                    self.images += u64::from(is_elsewhere(value));
                }
                // Not those of answers that are sent back: where a citation or a result is from.
                b"file_id" | b"file_url" | b"video_url" if kind.is_none() || is(&FILES) => {
                    self.files += u64::from(is_elsewhere(value));
                }
                b"source" if is_source(value) && is(&["image"]) => self.images += 1,
                b"source" if is_source(value) && is(&["document"]) => self.files += 1,
                _ if matches!(value.shape(), Shape::Array | Shape::Object) => {
                    self.visit(value, depth);
                }
                _ => {}
            }
        }
    }
}

/// An address or an id; not a `data:` address, which has everything in it.
fn is_elsewhere(value: Raw<'_>) -> bool {
    let address = value.get("url").unwrap_or(value);
    address
        .inner()
        .is_some_and(|address| !address.starts_with(b"data:"))
}

/// Of Messages: by address or by id.
fn is_source(value: Raw<'_>) -> bool {
    let kind = value.get("type");
    kind.is_some_and(|kind| kind.is_word("url") || kind.is_word("file"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(operation: Operation, content: &str) -> (u64, u64) {
        let member = match operation {
            Operation::Responses => "input",
            _ => "messages",
        };
        let body = format!(r#"{{"model":"m","{member}":{content}}}"#);
        let document = Document::parse(body.into()).unwrap();
        let found = named_input(&document, operation);
        (found.images, found.files)
    }

    #[test]
    fn what_the_vendor_fetches_is_found_in_every_dialect_and_what_is_sent_is_not() {
        let cases = [
            (
                Operation::ChatCompletions,
                r#"[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://a/b.png"}},{"type":"file","file":{"file_id":"file-1"}}]}]"#,
                (1, 1),
            ),
            (
                Operation::ChatCompletions,
                r#"[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}},{"type":"file","file":{"file_data":"data:application/pdf;base64,AAAA"}}]}]"#,
                (0, 0),
            ),
            (
                Operation::ChatCompletions,
                r#"[{"role":"user","content":[{"type":"video_url","video_url":{"url":"https://a/b.mp4"}}]}]"#,
                (0, 1),
            ),
            (
                Operation::Responses,
                r#"[{"role":"user","content":[{"type":"input_image","image_url":"https://a/b.png"},{"type":"input_image","file_id":"file-1"},{"type":"input_file","file_url":"https://a/b.pdf"}]},{"type":"function_call_output","call_id":"c","output":[{"type":"input_file","file_id":"file-2"}]}]"#,
                (2, 2),
            ),
            (
                Operation::Responses,
                r#"[{"role":"user","content":[{"type":"input_image","image_url":"data:image/png;base64,AAAA"},{"type":"input_text","text":"see \"file_id\" and \"url\""}]},{"type":"function_call","call_id":"c","name":"f","arguments":"{\"file_id\":\"x\"}"}]"#,
                (0, 0),
            ),
            (
                Operation::Messages,
                r#"[{"role":"user","content":[{"type":"image","source":{"type":"url","url":"https://a/b.png"}},{"type":"document","source":{"type":"file","file_id":"file_1"}},{"type":"tool_result","tool_use_id":"t","content":[{"type":"document","source":{"type":"url","url":"https://a/b.pdf"}}]}]}]"#,
                (1, 2),
            ),
            (
                Operation::Responses,
                r#"[{"role":"assistant","content":[{"type":"output_text","text":"x","annotations":[{"type":"file_citation","file_id":"file-1","index":1}]}]},{"type":"file_search_call","id":"f","results":[{"file_id":"file-1","text":"x"}]}]"#,
                (0, 0),
            ),
            (
                Operation::Responses,
                r#"[{"type":"computer_call_output","call_id":"c","output":{"type":"computer_screenshot","image_url":"https://a/b.png"}},{"role":"user","content":[{"type":"input_file","file\u005fid":"file-1"}]}]"#,
                (1, 1),
            ),
            (
                Operation::Messages,
                r#"[{"role":"user","content":[{"type":"document","source":{"type":"content","content":[{"type":"image","source":{"type":"url","url":"https://a/b.png"}}]}}]},{"role":"assistant","content":[{"type":"mcp_tool_use","id":"t","input":{"file_id":"x"}}]}]"#,
                (1, 0),
            ),
            (
                Operation::Messages,
                r#"[{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"fetch","input":{"file_id":"x","url":"https://a"}}]},{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}}]}]"#,
                (0, 0),
            ),
            (
                Operation::Messages,
                r#"[{"role":"user","content":"url"}]"#,
                (0, 0),
            ),
        ];
        for (operation, content, expected) in cases {
            assert_eq!(named(operation, content), expected, "{content}");
        }
    }

    #[test]
    fn deep_nesting_is_left_alone() {
        let deep = format!("{}\"url\"{}", "[".repeat(60), "]".repeat(60));
        assert_eq!(named(Operation::Messages, &deep), (0, 0));
    }
}
