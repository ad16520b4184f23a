//! Tones for verdicts, played by a thread of their own. A handheld without a sound device is quiet: one warning, no error.

use std::io::Cursor;

use crossbeam_channel::{Receiver, bounded};
use rodio::{Decoder, DeviceSinkBuilder};

use super::sync::Outlet;
use crate::core::engine::{Input, SyncNews, Trouble};
use crate::core::present::Tone;

/// Tones that wait: more than one would only be late.
const WAITING_MAX: usize = 1;

/// Starts the thread; the answer plays a tone and never waits.
pub fn start(outlet: Outlet) -> Box<dyn FnMut(Tone) + Send> {
    let (sender, tones) = bounded(WAITING_MAX);
    let told = outlet.clone();
    let spawned = std::thread::Builder::new().name("sound".to_owned()).spawn(move || {
        if let Err(error) = play(&tones) {
            warn(&outlet, &error);
        }
    });
    if let Err(error) = spawned {
        warn(&told, &error);
    }
    Box::new(move |tone| {
        // Full or ended: this tone is not heard, and the screen says the same.
        let _ = sender.try_send(tone);
    })
}

fn warn(outlet: &Outlet, error: &dyn std::fmt::Display) {
    let message =
        format!("There is no sound on this handheld ({error}). Watch the screen; check the volume and the speaker");
    outlet.input(Input::Sync(SyncNews::Trouble { kind: Trouble::Sound, message }));
}

fn play(tones: &Receiver<Tone>) -> Result<(), rodio::DeviceSinkError> {
    let mut device = DeviceSinkBuilder::open_default_sink()?;
    device.log_on_drop(false);
    for tone in tones {
        let bytes: &'static [u8] = match tone {
            Tone::Admit => include_bytes!("../../../assets/sounds/admit.wav"),
            Tone::Refuse => include_bytes!("../../../assets/sounds/refuse.wav"),
            Tone::Review => include_bytes!("../../../assets/sounds/review.wav"),
            Tone::Fault => include_bytes!("../../../assets/sounds/fault.wav"),
        };
        match Decoder::new(Cursor::new(bytes)) {
            Ok(sound) => device.mixer().add(sound),
            Err(error) => tracing::warn!(%error, "a tone cannot be read"),
        }
    }
    Ok(())
}
