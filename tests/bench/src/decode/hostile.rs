//! Frames that nobody shows by accident: they must cost no more than the budget, and end soon after the deadline.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use scanner_app::core::decode::luma::LumaView;
use scanner_app::core::decode::{Decoded, Decoder, Limits};
use turnstone_tests::painter::Random;

use super::verdict;
use crate::machine;

const DEADLINE: Duration = Duration::from_millis(50);
/// How long after its deadline a frame may end.
const GOAL: Duration = Duration::from_millis(5);
const SIZES: [(usize, usize); 2] = [(640, 480), (3840, 2160)];

struct Frame {
    name: String,
    width: usize,
    height: usize,
    luma: Vec<u8>,
}

pub fn run() -> Result<()> {
    let limit = Limits::default().units_max;
    println!("\nHostile frames: the whole budget ({limit} units), then a deadline of {} ms", DEADLINE.as_millis());
    println!(
        "  {:<41}{:>8}{:>12}{:>9}{:>14}{:>12}{:>15}",
        "", "codes", "ms", "units", "% of budget", "past, ms", "past by clock"
    );
    let (mut units_worst, mut past_worst) = (0, Duration::ZERO);
    for (width, height) in SIZES {
        for (name, draw) in KINDS {
            let mut luma = vec![0; width * height];
            draw(&mut luma, width, height);
            let frame = Frame { name: format!("{name}, {width}x{height}"), width, height, luma };
            let (units, past) = measure(&frame, limit)?;
            units_worst = units_worst.max(units);
            past_worst = past_worst.max(past);
        }
    }
    println!("  within the budget: {}", verdict(units_worst <= limit));
    println!(
        "  at most {:.2} ms of processor time past the deadline; goal {} ms: {}",
        past_worst.as_secs_f64() * 1e3,
        GOAL.as_millis(),
        verdict(past_worst <= GOAL)
    );
    println!("  - \"past\" counts this thread's processor time; by the clock, other programs' turns are in it.");
    Ok(())
}

/// Units spent without a deadline, and processor time past it with one.
fn measure(frame: &Frame, limit: u64) -> Result<(u64, Duration)> {
    let view = LumaView::new(frame.width, frame.height, frame.width, &frame.luma)?;
    let began = machine::thread_time();
    let whole = Decoder::default().decode(&view, &mut || false);
    let took = machine::thread_time() - began;
    let began = machine::thread_time();
    let until = began + DEADLINE;
    Decoder::default().decode(&view, &mut || machine::thread_time() >= until);
    let past = machine::thread_time().saturating_sub(until);
    let until = Instant::now() + DEADLINE;
    let by_clock: Decoded = Decoder::default().decode(&view, &mut || Instant::now() >= until);
    let past_by_clock = Instant::now().saturating_duration_since(until);
    ensure!(by_clock.codes.len() <= Limits::default().codes_max, "more codes than the limit");
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    println!(
        "  {:<41}{:>8}{:>12.1}{:>9}k{:>13.1}{:>12.2}{:>15.2}",
        frame.name,
        whole.codes.len(),
        ms(took),
        whole.units / 1000,
        whole.units as f64 * 100.0 / limit as f64,
        ms(past),
        ms(past_by_clock)
    );
    Ok((whole.units, past))
}

type Draw = fn(&mut [u8], usize, usize);

const KINDS: [(&str, Draw); 11] = [
    ("1,500 finder patterns", |luma, width, height| finders(luma, width, height, false)),
    ("1,500 finder patterns, turned", |luma, width, height| finders(luma, width, height, true)),
    ("symbols of random modules", broken_symbols),
    ("checkerboard, 1 px", |luma, width, _| checkers(luma, width, 1)),
    ("checkerboard, 2 px", |luma, width, _| checkers(luma, width, 2)),
    ("checkerboard, 3 px", |luma, width, _| checkers(luma, width, 3)),
    ("checkerboard, 7 px", |luma, width, _| checkers(luma, width, 7)),
    ("checkerboard, 16 px", |luma, width, _| checkers(luma, width, 16)),
    ("grey noise", |luma, _, _| noise(luma, 256)),
    ("black and white noise", |luma, _, _| noise(luma, 2)),
    ("bars in the ratio of a finder", bars),
];

/// Light of a finder pattern at a distance from its middle, in modules, by its larger coordinate.
fn finder(distance: f32) -> u8 {
    if distance < 1.5 || (2.5..3.5).contains(&distance) { 0 } else { 255 }
}

/// Fifty in a row, thirty rows.
fn finders(luma: &mut [u8], width: usize, height: usize, turned: bool) {
    const ACROSS: usize = 50;
    const DOWN: usize = 30;
    let (cell_x, cell_y) = (width as f32 / ACROSS as f32, height as f32 / DOWN as f32);
    let module = cell_x.min(cell_y) / 8.0;
    let mut random = Random(11);
    let angles: Vec<f32> = (0..ACROSS * DOWN).map(|_| random.between(0.0, std::f32::consts::TAU)).collect();
    for (at, value) in luma.iter_mut().enumerate() {
        let (x, y) = ((at % width) as f32 + 0.5, (at / width) as f32 + 0.5);
        let (column, row) = ((x / cell_x) as usize, (y / cell_y) as usize);
        let (dx, dy) = (x - (column as f32 + 0.5) * cell_x, y - (row as f32 + 0.5) * cell_y);
        let angle = if turned { angles[(row * ACROSS + column) % angles.len()] } else { 0.0 };
        let (sin, cos) = angle.sin_cos();
        let (u, v) = ((dx * cos + dy * sin) / module, (dy * cos - dx * sin) / module);
        *value = finder(u.abs().max(v.abs()));
    }
}

/// Symbols whose finder and timing patterns are right and whose other modules are random.
fn broken_symbols(luma: &mut [u8], width: usize, height: usize) {
    const SIDE: usize = 57;
    const QUIET: usize = 4;
    let across = 6;
    let module = (width / (across * (SIDE + 2 * QUIET))).max(1);
    let cell = module * (SIDE + 2 * QUIET);
    let mut random = Random(12);
    let bits: Vec<u64> = (0..SIDE * SIDE * 4).map(|_| random.next_u64()).collect();
    luma.fill(255);
    for y in 0..height / cell * cell {
        for x in 0..width / cell * cell {
            let (column, row) = (x % cell / module, y % cell / module);
            let inside = |at: usize| (QUIET..QUIET + SIDE).contains(&at);
            if !inside(column) || !inside(row) {
                continue;
            }
            let (column, row) = (column - QUIET, row - QUIET);
            let which = (x / cell + y / cell * across) % 64;
            let dark = match structure(column, row, SIDE) {
                Some(light) => light == 0,
                None => bits[row * SIDE + column] >> which & 1 == 1,
            };
            luma[y * width + x] = if dark { 0 } else { 255 };
        }
    }
}

/// The light of a module that is the same in every symbol of this size.
fn structure(column: usize, row: usize, side: usize) -> Option<u8> {
    for (left, top) in [(0, 0), (side - 7, 0), (0, side - 7)] {
        let distance = |at: usize, from: usize| (at as f32 - (from + 3) as f32).abs();
        let far = distance(column, left).max(distance(row, top));
        if far < 4.5 {
            return Some(finder(far));
        }
    }
    (column == 6 || row == 6).then(|| if (column + row).is_multiple_of(2) { 0 } else { 255 })
}

fn checkers(luma: &mut [u8], width: usize, period: usize) {
    for (at, value) in luma.iter_mut().enumerate() {
        let dark = (at % width / period + at / width / period).is_multiple_of(2);
        *value = if dark { 0 } else { 255 };
    }
}

fn noise(luma: &mut [u8], levels: u64) {
    let mut random = Random(13);
    luma.iter_mut().for_each(|value| *value = (random.next_u64() % levels * (255 / (levels - 1))) as u8);
}

/// Dark and light as across a finder's middle, over and over, so that every row is full of what looks like one.
fn bars(luma: &mut [u8], width: usize, _height: usize) {
    const RUNS: [u8; 9] = [0, 255, 0, 0, 0, 255, 0, 255, 255];
    for (at, value) in luma.iter_mut().enumerate() {
        *value = RUNS[at % width / 2 % RUNS.len()];
    }
}
