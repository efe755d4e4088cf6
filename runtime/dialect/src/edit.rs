//! One change to a JSON body, as the component contract defines it.

/// One change. `pointer` is a JSON Pointer (RFC 6901); values are JSON text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// Sets the value, replacing what is there; missing (or `null`) parents become objects. In an array `-` is
    /// the place behind the last element.
    Set {
        /// Where.
        pointer: String,
        /// JSON text.
        value: String,
    },
    /// Sets the value where nothing (or `null`) is there.
    SetDefault {
        /// Where.
        pointer: String,
        /// JSON text.
        value: String,
    },
    /// Removes the member or array element, if there.
    Remove {
        /// Where.
        pointer: String,
    },
    /// Renames the member, if there. Where a member of the new name exists already, that one is kept and the member at
    /// the pointer goes.
    Rename {
        /// Where.
        pointer: String,
        /// The new member name (a plain name, not a pointer).
        to: String,
    },
    /// Of the object at the pointer (empty: the whole body), keeps only the members named. Nothing happens where there
    /// is no object.
    Retain {
        /// Where.
        pointer: String,
        /// Member names to keep.
        names: Vec<String>,
    },
}
