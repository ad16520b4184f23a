//! What a camera is asked to do for a code: expose and focus by itself, and light what is dark.
//!
//! Cameras differ in what they have and in how they say so: each setting is tried, and one that is refused is passed over,
//! with a line in the debug log. Nothing here makes a camera unusable.
//!
//! Invariants: a torch that was lit here is put out when the camera is closed; without a word to the contrary it burns only
//! while pictures are dark. No clock: times are counted in pictures.

use std::io;

use super::{PixelFormat, RawFrame};

/// A camera's controls, by V4L2's numbers.
pub trait Controls {
    /// Sets a control. A camera that has none of that number, or not that value, refuses.
    fn set(&self, id: u32, value: i64) -> io::Result<()>;
    /// The least and the greatest value of a control; `None` if the camera has none of that number.
    fn range(&self, id: u32) -> Option<(i64, i64)>;
}

/// `V4L2_CID_EXPOSURE_AUTO` and two of its values: a camera has the one or the other.
const EXPOSURE: u32 = 0x009A_0901;
const EXPOSURE_AUTO: i64 = 0;
const EXPOSURE_APERTURE_PRIORITY: i64 = 3;
/// `V4L2_CID_EXPOSURE_AUTO_PRIORITY`: whether exposure may slow the pictures down. Slow pictures of a moving phone are blurred.
const EXPOSURE_PRIORITY: u32 = 0x009A_0903;
/// `V4L2_CID_FOCUS_AUTO` and `V4L2_CID_FOCUS_ABSOLUTE`, which grows towards the camera.
const FOCUS_AUTO: u32 = 0x009A_090C;
const FOCUS_ABSOLUTE: u32 = 0x009A_090A;
/// Where a lens without autofocus is put, in percent of the way from far to near: a phone is held at arm's length or nearer.
const FOCUS_NEAR_PERCENT: i64 = 40;
/// `V4L2_CID_FLASH_LED_MODE` and its values.
const LED: u32 = 0x009C_0901;
const LED_NONE: i64 = 0;
const LED_TORCH: i64 = 2;

/// When the camera's lamp burns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Torch {
    /// While pictures are dark.
    #[default]
    Auto,
    On,
    Off,
}

/// Sets exposure and focus, each as far as the camera can.
pub(super) fn settle(camera: &dyn Controls) {
    let _ = set(camera, "exposure", EXPOSURE, EXPOSURE_AUTO)
        || set(camera, "exposure", EXPOSURE, EXPOSURE_APERTURE_PRIORITY);
    set(camera, "exposure priority", EXPOSURE_PRIORITY, 0);
    if !set(camera, "autofocus", FOCUS_AUTO, 1)
        && let Some((far, near)) = camera.range(FOCUS_ABSOLUTE)
    {
        let value = far.saturating_add(near.saturating_sub(far).saturating_mul(FOCUS_NEAR_PERCENT) / 100);
        set(camera, "focus", FOCUS_ABSOLUTE, value);
    }
}

/// Whether the camera took it.
fn set(camera: &dyn Controls, control: &str, id: u32, value: i64) -> bool {
    match camera.set(id, value) {
        Ok(()) => true,
        Err(error) => {
            tracing::debug!(control, value, %error, "the camera does not take this setting; it goes without");
            false
        }
    }
}

/// A mean luma below this is a dark picture: an exposure that is up at its end shows a lit room brighter.
const DARK: u32 = 40;
/// Dark pictures in a row before the torch is lit, half a second of them.
const DARK_FRAMES: u32 = 15;
/// Pictures that the torch burns for before it is put out to see whether it is still dark, about a minute. By its own light
/// nobody can tell: exposure makes every lit picture as bright.
const LIT_FRAMES: u32 = 1_800;
/// Every so many rows and pixels are looked at.
const SAMPLE_STEP: usize = 16;

/// The torch of an open camera.
#[derive(Debug)]
pub(super) struct Lamp {
    wanted: Torch,
    lit: bool,
    /// Dark pictures in a row, or pictures since the torch was lit.
    frames: u32,
    /// The camera has no torch: it is not asked again.
    missing: bool,
}

impl Lamp {
    /// Sets the torch as it is to be at first.
    pub(super) fn new(wanted: Torch, camera: &dyn Controls) -> Lamp {
        let mut lamp = Lamp { wanted, lit: false, frames: 0, missing: false };
        match wanted {
            Torch::On => lamp.turn(true, camera),
            Torch::Off => lamp.turn(false, camera),
            // One that somebody else has lit is left alone until it is dark.
            Torch::Auto => {}
        }
        lamp
    }

    /// Takes notice of a picture.
    pub(super) fn see(&mut self, frame: &RawFrame, camera: &dyn Controls) {
        if self.wanted != Torch::Auto || self.missing {
            return;
        }
        let dark = mean(frame).is_some_and(|mean| mean < DARK);
        match (self.lit, dark) {
            (true, _) | (false, true) => self.frames += 1,
            (false, false) => self.frames = 0,
        }
        if self.frames >= if self.lit { LIT_FRAMES } else { DARK_FRAMES } {
            self.turn(!self.lit, camera);
        }
    }

    /// Puts out what was lit here.
    pub(super) fn put_out(&mut self, camera: &dyn Controls) {
        if self.lit {
            self.turn(false, camera);
        }
    }

    fn turn(&mut self, lit: bool, camera: &dyn Controls) {
        self.frames = 0;
        if set(camera, "torch", LED, if lit { LED_TORCH } else { LED_NONE }) {
            self.lit = lit;
        } else {
            self.missing = true;
        }
    }
}

/// The mean luma of some of the picture's pixels; `None` where they do not lie open, or not where they should.
fn mean(frame: &RawFrame) -> Option<u32> {
    let (pixel, width) = match frame.format {
        PixelFormat::Grey | PixelFormat::Nv12 => (1, frame.width as usize),
        PixelFormat::Yuyv => (2, frame.width as usize * 2),
        PixelFormat::Mjpeg => return None,
    };
    let rows = frame.data.chunks((frame.stride as usize).max(1)).take(frame.height as usize).step_by(SAMPLE_STEP);
    let samples = rows.flat_map(|row| row[..row.len().min(width)].iter().step_by(SAMPLE_STEP * pixel));
    let (sum, count) = samples.fold((0u64, 0u64), |(sum, count), sample| (sum + u64::from(*sample), count + 1));
    sum.checked_div(count).and_then(|mean| u32::try_from(mean).ok())
}

#[cfg(test)]
#[path = "controls_tests.rs"]
mod tests;
