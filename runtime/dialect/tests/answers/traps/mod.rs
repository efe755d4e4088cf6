//! Bugs that other gateways had: each a test that says what must be.

mod ends;
mod envelope;
mod framing;
mod reasoning;
mod search;
mod tools;

fn block(index: u64, block: &str) -> String {
    format!(r#"{{"type":"content_block_start","index":{index},"content_block":{block}}}"#)
}

fn delta(index: u64, delta: &str) -> String {
    format!(r#"{{"type":"content_block_delta","index":{index},"delta":{delta}}}"#)
}
