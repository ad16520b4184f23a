//! One guest's phone as it comes to the reader: frames that follow each other, for measuring what tracking saves.

use anyhow::Result;

use super::conditions::Condition;
use super::dice::Dice;
use super::{Frame, LOOK, NOISE, SCENE};

/// Frames of a session: two seconds at 15 a second.
pub const SESSION_FRAMES: usize = 30;
/// Sessions of a seed.
pub const SESSIONS: usize = 6;
/// Keeps sessions apart from every condition's frames.
const SESSION: u64 = 0x5E55_1074;

/// The frames of session `at`: a phone that comes nearer, sways and trembles; the same code all the while.
pub fn session(at: usize, seed: u64) -> Result<Vec<Frame>> {
    let dice = |stream| Dice::of(&[seed, SESSION, at as u64, stream]);
    let mut draws = dice(LOOK);
    let mut look = Condition::Easy.look(at, &mut draws);
    look.size = (640, 480);
    let begin = look.phones[0].placement;
    let (begin_px, end_px) = (draws.between(2.3, 3.0), draws.between(3.2, 4.2));
    let (sway_px, sway_cycles, phase) = (draws.between(10.0, 45.0), draws.between(0.5, 1.5), draws.angle());
    let (turn, lean) = (draws.between(-0.3, 0.3), draws.between(-0.35, 0.35));
    let (mut scene, texts) = look.scene(&mut dice(SCENE))?;
    let mut noise = dice(NOISE);
    let mut frames = Vec::new();
    for step in 0..SESSION_FRAMES {
        let share = step as f32 / (SESSION_FRAMES - 1) as f32;
        let (sin, cos) = libm::sincosf(phase + share * sway_cycles * std::f32::consts::TAU);
        let placement = &mut look.phones[0].placement;
        placement.centre_px.0 = 320.0 + sway_px * sin + noise.bell() * 0.8;
        placement.centre_px.1 = 240.0 + sway_px * 0.6 * cos + noise.bell() * 0.8;
        placement.module_px = begin_px + (end_px - begin_px) * share;
        placement.roll = begin.roll + turn * share + noise.bell() * 0.004;
        placement.yaw = begin.yaw + lean * share;
        look.keep_in_view(1.5);
        scene.size = look.size;
        scene.phones[0].placement = look.phones[0].placement;
        let luma = look.expose(&scene, &mut noise);
        let name = format!("session-{at}-{step:02}");
        frames.push(Frame { name, width: look.size.0, height: look.size.1, luma, texts: texts.clone() });
    }
    Ok(frames)
}
