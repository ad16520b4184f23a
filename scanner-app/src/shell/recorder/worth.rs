//! Which unread frames are worth keeping: those in which something looks like a code's corner, and now and then another.
//!
//! A camera sees an empty gate most of the time, and thirty times a second; a ring of that would hold nothing of the guest
//! whose code did not read. But a code may be unread because no corner of it can be told, so others are kept as well, more
//! rarely. Pure: time is the frames' own.

use crate::core::decode::luma::LumaView;

/// The least time between two frames that are kept, in milliseconds.
const LIKELY_EVERY_MS: i64 = 200;
const OTHER_EVERY_MS: i64 = 2_000;
/// Rows that are looked at: each so many.
const ROW_STEP: usize = 2;
/// How many rows must agree about a corner, of those looked at.
const ROWS_MIN: u8 = 3;
/// Corners that are followed at once; a frame with more of them is full of something else.
const FOLLOWED_MAX: usize = 64;
/// The threshold of a pixel: how much darker it is than the mean of the `2^n` pixels before it, in percent.
const MEAN_SHIFT: u32 = 5;
const DARKER_PERCENT: u32 = 8;

/// Says of one frame after another whether to keep it.
#[derive(Debug, Default)]
pub struct Pace {
    likely_ms: Option<i64>,
    other_ms: Option<i64>,
}

impl Pace {
    pub fn is_due(&mut self, taken_ms: i64, likely: bool) -> bool {
        let (last, every_ms) = match likely {
            true => (&mut self.likely_ms, LIKELY_EVERY_MS),
            false => (&mut self.other_ms, OTHER_EVERY_MS),
        };
        // Either way: a clock that was set back must not end the recording.
        let due = last.is_none_or(|last| taken_ms.saturating_sub(last).saturating_abs() >= every_ms);
        if due {
            *last = Some(taken_ms);
        }
        due
    }
}

/// A place where rows had runs of dark and light like a corner of a QR code: 1, 1, 3, 1, 1.
#[derive(Clone, Copy)]
struct Followed {
    /// The middle, and the width of a module, in pixels.
    x: f32,
    module_px: f32,
    row: usize,
    rows: u8,
}

/// Whether something in the frame looks like a corner of a QR code, upright or turned.
pub fn looks_like_a_code(frame: &LumaView<'_>) -> bool {
    let mut followed: Vec<Followed> = Vec::new();
    for y in (0..frame.height()).step_by(ROW_STEP) {
        // A corner's stone is three modules high: one that no row has confirmed for longer is over.
        followed.retain(|one| (y - one.row) as f32 <= one.module_px + ROW_STEP as f32);
        let mut found = false;
        corners(frame.row(y), |x, module_px| {
            let near = followed.iter().position(|one| {
                (one.x - x).abs() <= one.module_px && one.module_px.max(module_px) < 1.6 * one.module_px.min(module_px)
            });
            let seen = Followed { x, module_px, row: y, rows: 1 };
            match near {
                Some(at) if followed[at].row < y => {
                    followed[at] = Followed { rows: followed[at].rows + 1, ..seen };
                    found |= followed[at].rows >= ROWS_MIN;
                }
                None if followed.len() < FOLLOWED_MAX => followed.push(seen),
                Some(_) | None => {}
            }
        });
        if found {
            return true;
        }
    }
    false
}

/// Finds runs like a corner's in one row, and tells of each its middle and its module.
fn corners(row: &[u8], mut tell: impl FnMut(f32, f32)) {
    let Some(&first) = row.first() else { return };
    let mut mean = u32::from(first) << MEAN_SHIFT;
    let mut runs = [0usize; 5];
    let (mut dark, mut length) = (false, 0usize);
    for (x, &pixel) in row.iter().chain([&255]).enumerate() {
        mean = mean - (mean >> MEAN_SHIFT) + u32::from(pixel);
        let is_dark = (u32::from(pixel) << MEAN_SHIFT) * 100 < mean * (100 - DARKER_PERCENT);
        if is_dark == dark {
            length += 1;
            continue;
        }
        runs.rotate_left(1);
        runs[4] = length;
        // Five runs that end with a dark one: dark, light, stone, light, dark.
        if dark && is_like_a_corner(&runs) {
            let total: usize = runs.iter().sum();
            tell(x as f32 - total as f32 / 2.0, total as f32 / 7.0);
        }
        (dark, length) = (is_dark, 1);
    }
}

fn is_like_a_corner(runs: &[usize; 5]) -> bool {
    let total: usize = runs.iter().sum();
    if total < 7 || runs.contains(&0) {
        return false;
    }
    let module = total as f32 / 7.0;
    let within = |run: usize, modules: f32| (run as f32 - modules * module).abs() <= (modules * 0.5 * module).max(0.8);
    within(runs[0], 1.0) && within(runs[1], 1.0) && within(runs[2], 3.0) && within(runs[3], 1.0) && within(runs[4], 1.0)
}

#[cfg(test)]
mod tests {
    use qrcodegen::{QrCode, QrCodeEcc};

    use super::*;

    fn view(luma: &[u8]) -> LumaView<'_> {
        LumaView::new(320, 240, 320, luma).unwrap()
    }

    /// A code in front of grey, `module_px` a module, `contrast` between dark and light, with a gradient of light.
    fn painted(module_px: usize, contrast: u8) -> Vec<u8> {
        let code = QrCode::encode_text("T1S0123456789ABCDEFGHIJ", QrCodeEcc::Medium).unwrap();
        let mut luma = vec![0; 320 * 240];
        for (at, value) in luma.iter_mut().enumerate() {
            let (x, y) = ((at % 320) as i32 - 60, (at / 320) as i32 - 40);
            let module = |v: i32| v.div_euclid(module_px as i32);
            let dark = code.get_module(module(x), module(y));
            *value = (60 + at % 320 / 4) as u8 + if dark { 0 } else { contrast };
        }
        luma
    }

    #[test]
    fn codes_are_likely_also_where_they_are_pale() {
        for (module_px, contrast) in [(3, 100), (4, 60), (6, 30), (5, 110)] {
            assert!(looks_like_a_code(&view(&painted(module_px, contrast))), "{module_px} {contrast}");
        }
    }

    #[test]
    fn walls_stripes_and_noise_are_not() {
        let mut seed = 7u32;
        let mut noise = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 24) as u8
        };
        let scenes: [Vec<u8>; 4] = [
            vec![128; 320 * 240],
            (0..320 * 240).map(|at| (at % 320 / 2) as u8).collect(),
            (0..320 * 240).map(|at| if at % 320 / 8 % 2 == 0 { 20 } else { 220 }).collect(),
            (0..320 * 240).map(|_| 100 + noise() / 16).collect(),
        ];
        for (at, scene) in scenes.iter().enumerate() {
            assert!(!looks_like_a_code(&view(scene)), "scene {at}");
        }
    }

    #[test]
    fn likely_frames_are_kept_more_often_and_a_clock_set_back_stops_nothing() {
        let mut pace = Pace::default();
        let kept = |pace: &mut Pace, times: &[i64], likely: bool| {
            times.iter().filter(|taken_ms| pace.is_due(**taken_ms, likely)).count()
        };
        let second: Vec<i64> = (0..30).map(|frame| 1_000_000 + frame * 33).collect();
        assert_eq!(kept(&mut pace, &second, true), 5);
        assert_eq!(kept(&mut pace, &second, false), 1);
        assert_eq!(kept(&mut pace, &[i64::MIN, i64::MAX, 5], true), 3);
    }
}
