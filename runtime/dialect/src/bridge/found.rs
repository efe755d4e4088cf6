//! What tools did that a foreign vendor ran (a search, code, a call of an MCP server), as the gateway shows it in Messages: what
//! only a vendor of the dialect could write there is a mark of the gateway's own, by which it is known when it comes back.

/// Stands where the vendor's encrypted content or index would: no other vendor can read it, and none may be given it.
pub(crate) const ENCRYPTED: &str = "tg1.search";

/// What the ids of such searches and runs of code begin with.
const ID: &str = "srvtoolu_tg1_";

/// The beginning of the id of the search, or the run of code, at this place of the answer.
pub(crate) fn id(index: u64) -> String {
    format!("{ID}{index}_")
}

/// The beginning of the id of a call of an MCP server's tool at this place, where the vendor gave none: any vendor can read
/// the whole of it, so no mark is needed.
pub(crate) fn server_call(index: u64) -> String {
    format!("mcptoolu_{index}_")
}

/// The id of a vendor of Responses for such a call, as one of Messages begins it; nothing where it is of no such form.
pub(crate) fn call_id(id: &[u8]) -> Option<Vec<u8>> {
    let rest = id.strip_prefix(b"mcp_").filter(|rest| !rest.is_empty())?;
    is_plain(rest).then(|| [b"mcptoolu_", rest].concat())
}

/// The id of code that a vendor of Responses ran, which holds who that was and in which container it was: only with both can
/// it be told that vendor again.
pub(crate) fn run_id(family: &str, id: &[u8], container: &[u8]) -> Option<Vec<u8>> {
    let known = id.starts_with(b"ci_") && container.starts_with(CONTAINER);
    let plain = is_plain(family.as_bytes()) && is_plain(id) && is_plain(container);
    let parts = [ID.as_bytes(), family.as_bytes(), b"_", id, b"_", container];
    (known && plain).then(|| parts.concat())
}

/// The id of the run and that of its container, if this is one of this family's.
pub(crate) fn run_of<'a>(id: &'a str, family: &str) -> Option<(&'a str, &'a str)> {
    let rest = id
        .strip_prefix(ID)?
        .strip_prefix(family)?
        .strip_prefix('_')?;
    let at = rest.starts_with("ci_").then(|| rest.rfind("_cntr_"))??;
    Some((&rest[..at], &rest[at + 1..]))
}

/// What ids of runs begin with that are no code but a command of a shell, or an edit of a file: in Responses all are runs of
/// code, and their vendor of Messages wants them told again as they were.
pub(crate) const COMMAND: &str = "cic_";
pub(crate) const EDIT: &str = "cie_";

/// What the ids of containers begin with.
const CONTAINER: &[u8] = b"cntr_";

fn is_plain(text: &[u8]) -> bool {
    let plain = |letter: &u8| letter.is_ascii_alphanumeric() || b"_-".contains(letter);
    text.iter().all(plain)
}

/// Whether a search or a run of code has an id that was made here.
pub(crate) fn is_ours(id: &[u8]) -> bool {
    id.starts_with(ID.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_of_code_is_told_again_only_to_the_family_that_ran_it() {
        let id = run_id("open-ai", b"ci_68", b"cntr_7a_b").unwrap();
        assert!(is_ours(&id));
        let id = String::from_utf8(id).unwrap();
        assert_eq!(run_of(&id, "open-ai"), Some(("ci_68", "cntr_7a_b")));
        assert_eq!(run_of(&id, "open"), None);
        assert_eq!(run_of(&id, "other"), None);
        for (id, container) in [
            ("", "cntr_1"),
            ("ci_1", ""),
            ("ci_1\\u0000", "cntr_1"),
            ("x_1", "cntr_1"),
        ] {
            assert_eq!(
                run_id("f", id.as_bytes(), container.as_bytes()),
                None,
                "{id} {container}"
            );
        }
    }
}
