//! Tells everything that runs long - streams, jobs, the accept loop - that the server is stopping.

use tokio::sync::watch;

/// A switch that goes on once. Cheap to clone; clones share it.
#[derive(Debug, Clone)]
pub struct Shutdown(watch::Sender<bool>);

impl Default for Shutdown {
    fn default() -> Self {
        Self(watch::Sender::new(false))
    }
}

impl Shutdown {
    pub fn request(&self) {
        self.0.send_replace(true);
    }

    #[must_use]
    pub fn is_requested(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until the server is to stop.
    pub async fn requested(&self) {
        let mut changes = self.0.subscribe();
        // The sender lives in `self`, so waiting ends by the request alone.
        let _ = changes.wait_for(|requested| *requested).await;
    }

    /// Requests a stop at the first SIGTERM or SIGINT; a second one ends the process at once.
    ///
    /// # Errors
    /// When the signal handlers can't be installed.
    pub fn on_signals(&self) -> std::io::Result<()> {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let shutdown = self.clone();
        tokio::spawn(async move {
            for already in [false, true] {
                tokio::select! { _ = terminate.recv() => {} _ = interrupt.recv() => {} }
                if already {
                    tracing::warn!("stopped at once, at a second signal");
                    std::process::exit(130);
                }
                tracing::info!("stopping: finishing what is under way");
                shutdown.request();
            }
        });
        Ok(())
    }
}
