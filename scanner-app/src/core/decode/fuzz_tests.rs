//! The fuzz targets' bodies with seeded input: the same few thousand cases on every run.

use super::corner::Corner;
use super::finder::{self, Finder};
use super::fuzz::{Dice, bits, frame, geometry};
use super::grid;
use super::luma::LumaView;
use super::meter::Meter;
use super::picture::{Picture, Point, Shades};
use super::{Decoder, Limits, decode};

/// `cases` inputs of up to `length_max` bytes.
fn each(seed: u64, cases: usize, length_max: usize, body: fn(&[u8])) {
    let mut dice = Dice(seed);
    for _ in 0..cases {
        let length = dice.next() as usize % (length_max + 1);
        let data: Vec<u8> = (0..length).map(|_| dice.next() as u8).collect();
        body(&data);
    }
}

#[test]
fn any_bits_are_survived() {
    each(0x7453_2001, 6_000, 120, bits);
}

#[test]
fn any_geometry_is_survived() {
    each(0x7453_2002, 6_000, 120, geometry);
}

#[test]
fn any_frames_are_survived() {
    each(0x7453_2003, 150, 160, frame);
}

/// A dark picture, all of it below its thresholds.
fn on_dark(body: impl FnOnce(&Shades<'_>)) {
    let picture = Picture { width: 60, height: 60, pixels: vec![0; 3_600] };
    let threshold = Picture { width: 60, height: 60, pixels: vec![9; 3_600] };
    body(&Shades { picture: &picture, threshold: &threshold });
}

#[test]
fn a_ray_that_goes_nowhere_ends() {
    // Two finders in one place have no direction, and a ray without one never leaves the picture.
    on_dark(|shades| {
        assert_eq!(finder::profile(shades, Point::new(30.0, 30.0), Point::default(), f32::INFINITY), None);
    });
}

#[test]
fn a_symbol_is_not_tried_in_more_sizes_than_there_are() {
    let at = |x: f32, y: f32| Finder { centre: Point::new(x, y), module: 1.5, rows: 3 };
    let finders = [at(10.0, 10.0), at(50.0, 10.0), at(10.0, 50.0)];
    on_dark(|shades| {
        for side in [f32::INFINITY, f32::NAN, -1e30, 1e10] {
            let corner = Corner { top_left: 0, top_right: 1, bottom_left: 2, side, misfit: 0.0 };
            let mut never = || false;
            let mut meter = Meter::new(1_000_000, &mut never);
            assert!(grid::lay(shades, &finders, &corner, 0.0, &mut meter).is_ok());
            assert!(meter.spent() < 100_000, "{side}: {} units", meter.spent());
        }
    });
}

#[test]
fn a_part_that_ends_beyond_all_numbers_is_none() {
    let luma = [0; 12];
    let view = LumaView::new(4, 3, 4, &luma).unwrap();
    assert!(view.part(usize::MAX, 0, 2, 1).is_none());
    assert!(view.part(0, usize::MAX - 1, 1, 3).is_none());
    assert!(view.part(3, 2, 1, 1).is_some());
}

#[test]
fn no_step_is_longer_than_the_time_between_two_looks_at_the_deadline() {
    // One is shrunk before anything looks at it, the other enlarged when nothing was read.
    for (width, height) in [(4_096, 1_024), (400, 400)] {
        let luma: Vec<u8> =
            (0..width * height).map(|i| if (i / 9 + i / width / 9) % 2 == 0 { 20 } else { 220 }).collect();
        let view = LumaView::new(width, height, width, &luma).unwrap();
        let mut asked = 0u64;
        let decoded = decode(&view, &mut || {
            asked += 1;
            false
        });
        assert!(asked > decoded.units / 25_000, "{asked} times in {} units", decoded.units);
    }
}

#[test]
fn a_picture_of_which_nothing_is_left_is_not_looked_at() {
    // A single column has no half, whatever side is said to be worth a pass.
    let limits = Limits { side_px_min: 0, ..Limits::default() };
    for (width, height) in [(1, 100), (100, 1), (1, 1), (2, 3), (3, 2)] {
        let luma = vec![0; width * height];
        let view = LumaView::new(width, height, width, &luma).unwrap();
        assert_eq!(Decoder::new(limits).decode(&view, &mut || false).codes, []);
    }
}
