//! The control plane: management API.
