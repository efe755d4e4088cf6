//! What the nodes of a path say together.

mod keeping;
mod models;
mod money;
mod places;
mod subset;

use std::sync::Arc;

use super::*;
use crate::directory::tests::Bench;

/// The path of an account under accounts with these boundaries; the first are the root's.
fn path(boundaries: &[&str]) -> Arc<Path> {
    let mut bench = Bench::new();
    let mut parent = "root".to_owned();
    for (depth, text) in boundaries.iter().enumerate() {
        if depth == 0 {
            bench.patch("root", text).unwrap();
        } else {
            let name = format!("n{depth}");
            bench.account_with(&parent, &name, text).unwrap();
            parent = format!("{parent}/{name}");
        }
    }
    bench.path(&parent)
}
