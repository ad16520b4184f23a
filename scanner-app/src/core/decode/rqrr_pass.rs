//! One pass of rqrr over a picture: finds finder patterns, fits grids, reads and corrects bits.
//!
//! Invariant: whatever rqrr does - panic, run away, circle outside the picture - ends here, as a `Stop`.

use std::panic::{AssertUnwindSafe, catch_unwind};

use image::Luma;
use rqrr::{BitGrid, PreparedImage};

use super::meter::{Meter, MeteredImage, Stop};
use super::{Code, Limits};

/// What one bit of a symbol costs beyond looking at its pixel: Reed-Solomon is not seen by the buffer's count.
const SYMBOL_UNITS_PER_BIT: u64 = 40;

/// Reads every code in the picture and adds it to `codes`, its corners scaled up by `factor`.
///
/// Codes read before a stop are kept.
pub(super) fn read(
    (width, pixels): (usize, Vec<Luma<u8>>),
    factor: usize,
    limits: &Limits,
    meter: &Meter<'_>,
    codes: &mut Vec<Code>,
) -> Result<(), Stop> {
    meter.begin_pass();
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let mut picture = PreparedImage::prepare(MeteredImage::new(width, pixels, meter));
        for grid in picture.detect_grids() {
            if codes.len() >= limits.codes_max {
                return Ok(());
            }
            let side = grid.grid.size() as u64;
            if !meter.afford(side * side * SYMBOL_UNITS_PER_BIT) {
                return Err(meter.stopped().unwrap_or(Stop::Budget));
            }
            // A grid on which rqrr panics must not take the other codes in view with it.
            let read = catch_unwind(AssertUnwindSafe(|| {
                let mut text = Vec::new();
                grid.decode_to(&mut text).ok().map(|_| text)
            }));
            match read {
                Ok(Some(text)) if !text.is_empty() => {
                    let corners = grid.bounds.map(|p| (p.x as f32 * factor as f32, p.y as f32 * factor as f32));
                    codes.push(Code { text, corners });
                }
                Ok(_) => {}
                Err(_) => match meter.stopped() {
                    Some(stop @ (Stop::Deadline | Stop::Budget)) => return Err(stop),
                    _ => continue,
                },
            }
        }
        Ok(())
    }));
    match outcome {
        Ok(done) => done,
        Err(_) => Err(meter.stopped().unwrap_or(Stop::Panicked)),
    }
}
