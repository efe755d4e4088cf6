//! A search that a foreign vendor made, as the gateway shows it in Messages: what only a vendor of the dialect could write
//! there is a mark of the gateway's own, by which it is known when it comes back.

/// Stands where the vendor's encrypted content or index would: no other vendor can read it, and none may be given it.
pub(crate) const ENCRYPTED: &str = "tg1.search";

/// What the ids of such searches begin with.
const ID: &str = "srvtoolu_tg1_";

/// The beginning of the id of the search at this place of the answer.
pub(crate) fn id(index: u64) -> String {
    format!("{ID}{index}_")
}

/// Whether a search has an id that was made here.
pub(crate) fn is_ours(id: &[u8]) -> bool {
    id.starts_with(ID.as_bytes())
}
