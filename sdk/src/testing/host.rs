//! Doubles of what a guest may ask of the host. Each test thread has its own.

use std::cell::{Cell, RefCell};

use crate::LocalTime;

type Mac = dyn Fn(&str, &str, &str, &[u8]) -> Result<Vec<u8>, String>;

thread_local! {
    static LOG: RefCell<Vec<(String, String)>> = const { RefCell::new(Vec::new()) };
    static NOW: Cell<u64> = const { Cell::new(0) };
    static LOCAL: RefCell<Vec<(String, LocalTime)>> = const { RefCell::new(Vec::new()) };
    static MAC: RefCell<Option<Box<Mac>>> = const { RefCell::new(None) };
}

/// The lines logged by this thread so far, as level and message; empties the log.
///
/// ```
/// use tollgate_guest::{log, testing};
/// log::info("hello");
/// assert_eq!(testing::logged().len(), 1);
/// assert_eq!(testing::logged().len(), 0);
/// ```
pub fn logged() -> Vec<(String, String)> {
    LOG.take()
}

/// Sets what `clock::now` answers on this thread, in Unix milliseconds.
///
/// ```
/// tollgate_guest::testing::set_now(42);
/// assert_eq!(tollgate_guest::clock::now(), 42);
/// ```
pub fn set_now(unix_ms: u64) {
    NOW.set(unix_ms);
}

/// Sets what `clock::local` answers for a zone on this thread. A zone never set is an unknown zone.
///
/// ```
/// use tollgate_guest::{LocalTime, clock, testing};
/// let noon = LocalTime { year: 2026, month: 11, day: 22, weekday: 7, hour: 12, minute: 0, second: 0, offset_seconds: 3600 };
/// testing::set_local_time("Europe/Berlin", noon);
/// assert_eq!(clock::local("Europe/Berlin").unwrap().hour, 12);
/// assert!(clock::local("Mars/Olympus").is_err());
/// ```
pub fn set_local_time(zone: &str, time: LocalTime) {
    LOCAL.with_borrow_mut(|zones| {
        zones.retain(|(known, _)| known != zone);
        zones.push((zone.to_owned(), time));
    });
}

/// Sets what `credential::mac` does on this thread: algorithm, field, prefix and data in, MAC out.
///
/// ```
/// use tollgate_guest::{credential, testing};
/// testing::set_mac(|_, _, _, data| Ok(data.to_vec()));
/// assert_eq!(credential::mac("hmac-sha256", "key", "", b"x").unwrap(), b"x");
/// ```
pub fn set_mac(mac: impl Fn(&str, &str, &str, &[u8]) -> Result<Vec<u8>, String> + 'static) {
    MAC.set(Some(Box::new(mac)));
}

pub(crate) fn write(level: &str, message: &str) {
    LOG.with_borrow_mut(|log| log.push((level.to_owned(), message.to_owned())));
}

pub(crate) fn now() -> u64 {
    NOW.get()
}

pub(crate) fn local(zone: &str) -> Result<LocalTime, String> {
    LOCAL.with_borrow(|zones| {
        let known = zones.iter().find(|(known, _)| known == zone);
        known
            .map(|(_, time)| *time)
            .ok_or_else(|| format!("unknown time zone `{zone}`"))
    })
}

pub(crate) fn mac(
    algorithm: &str,
    field: &str,
    prefix: &str,
    data: &[u8],
) -> Result<Vec<u8>, String> {
    MAC.with_borrow(|mac| match mac {
        Some(mac) => mac(algorithm, field, prefix, data),
        None => Err("no MAC was set for this test: call testing::set_mac first".to_owned()),
    })
}
