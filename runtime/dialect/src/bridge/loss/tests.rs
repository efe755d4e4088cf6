use std::collections::BTreeSet;

use super::*;

#[test]
fn the_page_in_docs_is_the_table_in_the_code() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/bridge.md");
    if std::env::var_os("TOLLGATE_WRITE_GOLDEN").is_some() {
        std::fs::write(path, markdown()).unwrap();
    }
    let page = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        page == markdown(),
        "docs/bridge.md is not what the table says; write it again with \
         `TOLLGATE_WRITE_GOLDEN=1 cargo test -p tollgate-dialect the_page_in_docs`"
    );
}

#[test]
fn every_field_has_one_row_and_every_reason_is_a_phrase() {
    for from in BRIDGED {
        let mut seen = BTreeSet::new();
        for (answers, row) in request_rows(from)
            .iter()
            .map(|row| (false, row))
            .chain(answer_rows(from).iter().map(|row| (true, row)))
        {
            assert!(
                seen.insert((answers, row.field)),
                "{} twice in {from:?}",
                row.field
            );
            for fate in row.fates {
                if let Fate::Converted(text) | Fate::Dropped(text) | Fate::Refused(text) = fate {
                    assert!(
                        !text.is_empty() && !text.ends_with('.') && !text.contains(['|', '\n']),
                        "{}: {text}",
                        row.field
                    );
                }
            }
        }
    }
}

#[test]
fn a_refusal_names_the_field_and_says_why() {
    let error = refusal(
        Dialect::AnthropicMessages,
        Dialect::OpenaiChat,
        "mcp_servers",
        "mcp_servers".to_owned(),
    );
    assert_eq!(error.kind, ErrorKind::Unsupported);
    assert_eq!(error.param.as_deref(), Some("mcp_servers"));
    assert!(
        error.message.contains("Chat Completions"),
        "{}",
        error.message
    );
    assert!(
        !error.message.contains("no way to say it"),
        "{}",
        error.message
    );
}
