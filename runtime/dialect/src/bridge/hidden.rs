//! Reasoning that a Messages client did not want to read and so carries sealed with its text: opened on its way in,
//! before anybody looks at the request, so that no text reaches a vendor behind a policy's back.

use serde_json::json;

use super::opaque::{self, OpaqueKind};
use crate::json::walk::Raw;
use crate::{Document, Edit, Invalid};

/// Makes readable thinking blocks of those that carry their text sealed. A request without one stays as it is.
///
/// # Errors
/// None on a document that could be parsed.
pub fn open_hidden(document: &mut Document) -> Result<(), Invalid> {
    let Some(messages) = document.get("messages") else {
        return Ok(());
    };
    // An escape may stand for any letter of the mark; what is not opened here is opened nowhere.
    if memchr::memmem::find(messages, b"\"tg1.").is_none() {
        return Ok(());
    }
    let mut edits = Vec::new();
    for (at, message) in Raw::new(messages).items().enumerate() {
        let Some(content) = message.get("content") else {
            continue;
        };
        for (place, block) in content.items().enumerate() {
            if let Some(block) = readable(block) {
                edits.push(Edit::Set {
                    pointer: format!("/messages/{at}/content/{place}"),
                    value: block,
                });
            }
        }
    }
    edits.iter().try_for_each(|edit| document.apply(edit))
}

/// The block with its text beside its seal, if it has one inside.
fn readable(block: Raw<'_>) -> Option<String> {
    if block.get("type")?.text()? != "redacted_thinking" {
        return None;
    }
    let opened = opaque::open(&block.get("data")?.text()?)?;
    if opened.kind != OpaqueKind::Plain || opened.payload.is_empty() {
        return None;
    }
    let signature = opaque::seal(&opened.family, OpaqueKind::Plain, "");
    let block = json!({ "type": "thinking", "thinking": opened.payload, "signature": signature });
    Some(block.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn after(content: &Value) -> Value {
        let body = json!({ "messages": [
            { "role": "user", "content": "tell me of \"tg1.\"" },
            { "role": "assistant", "content": content },
        ] });
        let mut document = Document::parse(body.to_string().into()).unwrap();
        open_hidden(&mut document).unwrap();
        let body: Value = serde_json::from_slice(&document.to_bytes()).unwrap();
        body["messages"][1]["content"].clone()
    }

    #[test]
    fn a_sealed_text_stands_where_policies_read_it_and_all_else_stays() {
        let sealed = |kind, text| opaque::seal("maker", kind, text);
        let block = |data: String| json!({ "type": "redacted_thinking", "data": data });
        let said = json!({ "type": "text", "text": "ok" });
        let hidden = block(sealed(OpaqueKind::Plain, "a \"secret\" plan"));
        let others = [
            block(sealed(OpaqueKind::Plain, "")),
            block(sealed(OpaqueKind::Redacted, "opaque")),
            block("EmwKAhgB".to_owned()),
            said.clone(),
        ];
        let mut content = vec![hidden];
        content.extend(others.clone());
        let mut wanted = vec![json!({
            "type": "thinking", "thinking": "a \"secret\" plan", "signature": sealed(OpaqueKind::Plain, ""),
        })];
        wanted.extend(others.clone());
        assert_eq!(after(&json!(content)), json!(wanted));
        assert_eq!(after(&json!(others)), json!(others));
        assert_eq!(after(&json!("tg1.")), json!("tg1."));
    }
}
