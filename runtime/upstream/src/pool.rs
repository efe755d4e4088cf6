//! Idle connections of one worker, by origin; the freshest is used first.
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::drive::Conn;
use crate::target::Origin;

/// An [`Origin`] brings its own hash along; this passes it on.
#[derive(Default)]
struct Ready(u64);

impl Hasher for Ready {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, _: &[u8]) {}
    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// See the module's text.
pub(crate) struct Pool {
    idle: HashMap<Arc<Origin>, VecDeque<Conn>, BuildHasherDefault<Ready>>,
    per_origin: usize,
    lifetime: Duration,
}

impl Pool {
    pub(crate) fn new(per_origin: usize, lifetime: Duration) -> Self {
        Self {
            idle: HashMap::default(),
            per_origin,
            lifetime,
        }
    }

    /// The connection used last, unless it has idled too long. It may still turn out to be stale.
    pub(crate) fn take(&mut self, origin: &Origin, now: Instant) -> Option<Conn> {
        let conns = self.idle.get_mut(origin)?;
        let conn = conns.pop_back()?;
        if now.saturating_duration_since(conn.idle_since) > self.lifetime {
            // The freshest is too old, so all are.
            conns.clear();
            return None;
        }
        Some(conn)
    }

    /// Takes a connection back after an exchange, or closes it if it cannot carry another.
    pub(crate) fn put(&mut self, origin: &Arc<Origin>, mut conn: Conn, now: Instant) {
        if self.per_origin == 0 || !conn.settle() {
            return;
        }
        conn.idle_since = now;
        if let Some(conns) = self.idle.get_mut(origin) {
            if conns.len() >= self.per_origin {
                conns.pop_front();
            }
            conns.push_back(conn);
        } else {
            self.idle.insert(Arc::clone(origin), VecDeque::from([conn]));
        }
    }

    /// Closes what has idled too long or was closed by the other side.
    pub(crate) fn sweep(&mut self, now: Instant) {
        let lifetime = self.lifetime;
        self.idle.retain(|_, conns| {
            conns.retain_mut(|c| {
                now.saturating_duration_since(c.idle_since) <= lifetime && !c.is_dead()
            });
            !conns.is_empty()
        });
    }

    /// Idle connections of all origins.
    pub(crate) fn len(&self) -> usize {
        self.idle.values().map(VecDeque::len).sum()
    }
}
