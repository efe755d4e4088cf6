//! Name and time of an answer: given, for nothing here may know them by itself.

/// What an answer is called and when it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    /// The gateway's id of the request. The ids in the answer are made of it.
    pub request_id: String,
    /// Unix seconds.
    pub created: u64,
}

impl Stamp {
    /// An id with this prefix.
    pub(crate) fn id(&self, prefix: &str) -> String {
        let mut id = String::with_capacity(prefix.len() + self.request_id.len());
        id.push_str(prefix);
        id.push_str(&self.request_id);
        id
    }
}
