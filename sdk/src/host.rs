//! What a guest may ask of the host: log, clock, MACs. A component that calls none of them imports none of them.

/// Lines in the gateway's log. Never write message content or anything that identifies a person.
///
/// ```
/// use tollgate_guest::{log, testing};
/// log::warn("the vendor's list has no models");
/// assert_eq!(testing::logged(), [("warn".to_owned(), "the vendor's list has no models".to_owned())]);
/// ```
pub mod log {
    /// Something failed.
    pub fn error(message: &str) {
        write("error", message);
    }

    /// Something is odd.
    pub fn warn(message: &str) {
        write("warn", message);
    }

    /// Something an operator may want to know.
    pub fn info(message: &str) {
        write("info", message);
    }

    /// Something only an author wants to know.
    pub fn debug(message: &str) {
        write("debug", message);
    }

    #[cfg(target_family = "wasm")]
    fn write(level: &str, message: &str) {
        crate::bindings::host::tollgate::extension::log::write(level, message);
    }

    #[cfg(not(target_family = "wasm"))]
    fn write(level: &str, message: &str) {
        crate::testing::host::write(level, message);
    }
}

/// The wall clock. A component that never calls it is a pure function, and the host may remember its answers.
///
/// ```
/// use tollgate_guest::{clock, testing};
/// testing::set_now(1_700_000_000_000);
/// assert_eq!(clock::now(), 1_700_000_000_000);
/// ```
pub mod clock {
    use crate::LocalTime;

    /// Now, in Unix milliseconds.
    pub fn now() -> u64 {
        #[cfg(target_family = "wasm")]
        return crate::bindings::host::tollgate::extension::clock::now();
        #[cfg(not(target_family = "wasm"))]
        return crate::testing::host::now();
    }

    /// Now, in an IANA time zone such as `Europe/Berlin`.
    ///
    /// # Errors
    /// A sentence, where the zone is unknown.
    pub fn local(zone: &str) -> Result<LocalTime, String> {
        #[cfg(target_family = "wasm")]
        return crate::bindings::host::tollgate::extension::clock::local(zone);
        #[cfg(not(target_family = "wasm"))]
        return crate::testing::host::local(zone);
    }
}

/// Signs with a secret the guest never sees.
///
/// ```
/// use tollgate_guest::{credential, testing};
/// testing::set_mac(|_algorithm, field, _prefix, data| Ok([field.as_bytes(), data].concat()));
/// assert_eq!(credential::mac("hmac-sha256", "key", "", b"!").unwrap(), b"key!");
/// ```
pub mod credential {
    /// HMAC over `data`, keyed with `prefix` followed by the credential field `field`. `algorithm` is `hmac-sha256`,
    /// `hmac-sha384` or `hmac-sha512`. Callable only inside [`Signing::sign`](crate::Signing::sign).
    ///
    /// # Errors
    /// A sentence: unknown algorithm, unknown field, or called outside `sign`.
    pub fn mac(algorithm: &str, field: &str, prefix: &str, data: &[u8]) -> Result<Vec<u8>, String> {
        #[cfg(target_family = "wasm")]
        return crate::bindings::host::tollgate::extension::credential::mac(
            algorithm, field, prefix, data,
        );
        #[cfg(not(target_family = "wasm"))]
        return crate::testing::host::mac(algorithm, field, prefix, data);
    }
}
