//! The one place that reads the machine's clock. Everything else is handed the time.
//!
//! Invariant: rules take `now_ms` as an argument; handlers and jobs ask the [`Clock`] they were given, which a test sets.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::watch;

/// Tells the time, in unix milliseconds. Cheap to clone; clones of a manual clock share their time.
#[derive(Debug, Clone)]
pub struct Clock(Source);

#[derive(Debug, Clone)]
enum Source {
    System,
    Manual(Arc<watch::Sender<i64>>),
}

impl Clock {
    /// The machine's clock.
    #[must_use]
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands until a test moves it.
    #[must_use]
    pub fn manual(now_ms: i64) -> Self {
        Self(Source::Manual(Arc::new(watch::Sender::new(now_ms))))
    }

    /// Unix milliseconds now.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        match &self.0 {
            Source::System => system_now_ms(),
            Source::Manual(now_ms) => *now_ms.borrow(),
        }
    }

    /// Moves a manual clock; the machine's clock stays as it is.
    pub fn advance_ms(&self, by_ms: i64) {
        if let Source::Manual(now_ms) = &self.0 {
            now_ms.send_modify(|now| *now += by_ms);
        }
    }

    /// Waits until that much time has passed by this clock.
    pub async fn pause(&self, time: Duration) {
        match &self.0 {
            Source::System => system_pause(time).await,
            Source::Manual(now_ms) => {
                let mut changes = now_ms.subscribe();
                let until = *changes.borrow() + i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
                // The sender lives in `self`, so waiting ends by the time alone.
                let _ = changes.wait_for(|now| *now >= until).await;
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the one sanctioned reading of the machine's clock")]
fn system_now_ms() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
}

#[expect(clippy::disallowed_methods, reason = "the one sanctioned timer")]
async fn system_pause(time: Duration) {
    tokio::time::sleep(time).await;
}
