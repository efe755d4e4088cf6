//! The component host: wasmtime engine, pools, limits, compile cache, folder watch.
