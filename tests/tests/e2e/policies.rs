//! The bundled policies, attached to an ancestor.
