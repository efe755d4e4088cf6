//! The one value that lives in an instance of a component.

use std::cell::OnceCell;

/// Implemented by [`export!`](crate::export); a guest author never names it.
#[doc(hidden)]
pub trait Instance: Sized + 'static {
    /// Makes the value where the host configured nothing.
    fn fresh() -> Result<Self, String>;

    /// The place where the value is kept. An instance is entered by one thread at a time.
    fn with_cell<R>(f: impl FnOnce(&OnceCell<&'static Self>) -> R) -> R;

    /// The value; made now if nobody configured it before.
    fn get() -> &'static Self {
        Self::with_cell(|cell| {
            *cell.get_or_init(|| match Self::fresh() {
                Ok(value) => Box::leak(Box::new(value)),
                // The host configures before it calls; a component that cannot do without is of no use unconfigured.
                Err(why) => panic!("called without a configuration: {why}"),
            })
        })
    }

    /// Keeps a configured value. A second one is refused: the host makes a new instance for a new configuration.
    fn install(value: Self) -> Result<(), String> {
        Self::with_cell(|cell| {
            cell.set(Box::leak(Box::new(value)))
                .map_err(|_| "this instance is configured already".to_owned())
        })
    }
}
