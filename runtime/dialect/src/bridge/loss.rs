//! What becomes of every field on its way: one table.
