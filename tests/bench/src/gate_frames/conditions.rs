//! The table of conditions: which frames there are of each, and how hard they get.
//!
//! Frozen: decoders are tuned against these frames, so a change here would move the goal. A condition's severity runs
//! evenly from 0 (mild) to 1 (brutal) over its frames; everything else is drawn as it is at an ordinary gate.

use super::camera::{Placement, Shutter};
use super::codes::Kind;
use super::cracks::CrackLook;
use super::dice::Dice;
use super::glass::Glare;
use super::look::{Look, PhoneLook};
use super::optics::Optics;
use super::page::PageLook;
use super::sensor::Sensor;

/// The seed of the frames that decoders may be tuned with. Every other seed is held out.
pub const TUNING_SEED: u64 = 1;
/// Frames of a condition.
const FRAMES: usize = 40;
/// Pixels a module on the axis of distance, and frames of each.
pub const LADDER_PX: [f32; 12] = [6.0, 5.0, 4.0, 3.5, 3.0, 2.75, 2.5, 2.25, 2.0, 1.8, 1.6, 1.4];
pub const FRAMES_A_RUNG: usize = 20;

/// What makes a frame hard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, clap::ValueEnum)]
pub enum Condition {
    /// Nothing: a phone held well in good light.
    Easy,
    /// Far away: few pixels a module.
    Distance,
    /// Turned away by 10 to 58 degrees, about any axis.
    Tilt,
    /// Turned in the picture's plane by any angle.
    Rotation,
    /// Out of focus, moving, or both.
    Blur,
    /// Few electrons: a dark doorway.
    Noise,
    /// Far too dark, or far too bright with light spilling over.
    Exposure,
    /// A lamp's spot on the glass, over a part of the code.
    Glare,
    /// A second image in the glass.
    Reflections,
    /// The display's dots against the sensor's.
    Moire,
    /// A dimmed display in bright surroundings.
    Dim,
    /// Cracked glass.
    Cracked,
    /// Light modules on dark; or a dark page that leaves the code a narrow margin.
    Dark,
    /// Two or three phones; each code counts.
    Several,
    /// Rows read one after another: shear, tremble, bands.
    Shutter,
    /// Three of these at once.
    Mixed,
}

impl Condition {
    pub const ALL: [Condition; 16] = [
        Condition::Easy,
        Condition::Distance,
        Condition::Tilt,
        Condition::Rotation,
        Condition::Blur,
        Condition::Noise,
        Condition::Exposure,
        Condition::Glare,
        Condition::Reflections,
        Condition::Moire,
        Condition::Dim,
        Condition::Cracked,
        Condition::Dark,
        Condition::Several,
        Condition::Shutter,
        Condition::Mixed,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Condition::Easy => "easy",
            Condition::Distance => "distance",
            Condition::Tilt => "tilt",
            Condition::Rotation => "rotation",
            Condition::Blur => "blur",
            Condition::Noise => "noise",
            Condition::Exposure => "exposure",
            Condition::Glare => "glare",
            Condition::Reflections => "reflections",
            Condition::Moire => "moire",
            Condition::Dim => "dim",
            Condition::Cracked => "cracked",
            Condition::Dark => "dark",
            Condition::Several => "several",
            Condition::Shutter => "shutter",
            Condition::Mixed => "mixed",
        }
    }

    /// How many frames there are of it.
    pub fn frames(self) -> usize {
        match self {
            Condition::Distance => LADDER_PX.len() * FRAMES_A_RUNG,
            _ => FRAMES,
        }
    }

    /// The look of its frame `at`.
    pub fn look(self, at: usize, dice: &mut Dice) -> Look {
        let severity = (at as f32 + dice.unit()) / self.frames() as f32;
        let mut look = ordinary(dice);
        self.apply(&mut look, severity, at, dice);
        let margin = if self == Condition::Shutter { 6.0 } else { 1.5 };
        look.keep_in_view(margin);
        look
    }

    fn apply(self, look: &mut Look, severity: f32, at: usize, dice: &mut Dice) {
        match self {
            Condition::Easy => look.phones[0].placement.module_px = dice.between(3.5, 5.5),
            Condition::Distance => distance(look, at, dice),
            Condition::Tilt => tilt(look, severity, dice),
            Condition::Rotation => look.phones[0].placement.roll = dice.angle(),
            Condition::Blur => blur(look, severity, dice),
            Condition::Noise => noise(look, severity, dice),
            Condition::Exposure => exposure(look, severity, dice),
            Condition::Glare => glare(look, severity, dice),
            Condition::Reflections => look.phones[0].reflection = mix(0.05, 0.75, severity),
            Condition::Moire => moire(look, severity, dice),
            Condition::Dim => dim(look, severity, dice),
            Condition::Cracked => cracked(look, severity, dice),
            Condition::Dark => dark(look, severity, dice),
            Condition::Several => several(look, severity, dice),
            Condition::Shutter => shutter(look, severity, dice),
            Condition::Mixed => mixed(look, dice),
        }
    }
}

fn mix(mild: f32, brutal: f32, severity: f32) -> f32 {
    mild + (brutal - mild) * severity
}

/// As [`mix`], by ratio: each step of severity multiplies.
fn mix_log(mild: f32, brutal: f32, severity: f32) -> f32 {
    mild * libm::powf(brutal / mild, severity)
}

/// One phone as most are held, before a camera as most are.
fn ordinary(dice: &mut Dice) -> Look {
    let size = if dice.chance(0.8) { (640, 480) } else { (1280, 720) };
    let kind = if dice.chance(0.7) { Kind::Short } else { Kind::Full };
    let ambient = dice.between_log(0.12, 0.8);
    let phone = phone(kind, ambient, size, dice);
    let optics = Optics {
        softness_px: dice.between(0.35, 0.55),
        defocus_px: dice.between(0.0, 0.5),
        motion_px: (dice.between(-0.5, 0.5), dice.between(-0.5, 0.5)),
        bloom: dice.between(0.01, 0.05),
        bloom_px: dice.between(20.0, 50.0),
    };
    let sensor = Sensor {
        exposure: dice.between(0.55, 0.95),
        full_e: dice.between_log(3_000.0, 10_000.0),
        read_e: dice.between(3.0, 8.0),
        row_e: dice.between(0.0, 2.0),
        vignette: dice.between(0.05, 0.35),
        sharpen: dice.between(0.0, 0.5),
        gamma: dice.between(0.42, 0.6),
    };
    Look { size, phones: vec![phone], ambient, shutter: Shutter::default(), optics, sensor, samples: 3 }
}

fn phone(kind: Kind, ambient: f32, size: (usize, usize), dice: &mut Dice) -> PhoneLook {
    let degrees = |range: f32, dice: &mut Dice| dice.between(-range, range).to_radians();
    let placement = Placement {
        centre_px: (
            size.0 as f32 * 0.5 + size.1 as f32 * dice.between(-0.3, 0.3),
            size.1 as f32 * dice.between(0.35, 0.65),
        ),
        module_px: dice.between(2.8, 4.4),
        roll: degrees(12.0, dice),
        yaw: degrees(9.0, dice),
        pitch: degrees(9.0, dice),
    };
    PhoneLook {
        kind,
        page: PageLook { dark_page: dice.chance(0.25), ..PageLook::plain(10) },
        placement,
        brightness: dice.between(0.8, 1.0),
        veil: ambient * dice.between(0.02, 0.1),
        glare: None,
        reflection: dice.between(0.0, 0.03),
        cracks: None,
    }
}

/// Every rung has as many short as full codes in three to one, whatever the seed, so that rungs compare.
fn distance(look: &mut Look, at: usize, dice: &mut Dice) {
    let phone = &mut look.phones[0];
    phone.kind = if at % 4 == 3 { Kind::Full } else { Kind::Short };
    phone.placement.module_px = LADDER_PX[at / FRAMES_A_RUNG % LADDER_PX.len()];
    phone.placement.yaw = dice.between(-8.0, 8.0).to_radians();
    phone.placement.pitch = dice.between(-8.0, 8.0).to_radians();
    look.size = (640, 480);
    phone.placement.centre_px = (320.0 + dice.between(-120.0, 120.0), 240.0 + dice.between(-90.0, 90.0));
    look.optics.defocus_px = dice.between(0.0, 0.3);
    look.optics.motion_px = (0.0, 0.0);
}

fn tilt(look: &mut Look, severity: f32, dice: &mut Dice) {
    let (sin, cos) = libm::sincosf(dice.angle());
    let angle = mix(10.0, 58.0, severity).to_radians();
    let placement = &mut look.phones[0].placement;
    placement.yaw = angle * cos;
    placement.pitch = angle * sin;
    placement.module_px = placement.module_px.max(3.2);
}

fn blur(look: &mut Look, severity: f32, dice: &mut Dice) {
    let module_px = look.phones[0].placement.module_px;
    let (defocus, motion) = match dice.index(3) {
        0 => (1.0, 0.0),
        1 => (0.0, 1.0),
        _ => (0.6, 0.6),
    };
    look.optics.defocus_px += module_px * mix(0.15, 0.85, severity) * defocus;
    let length = module_px * mix(0.3, 1.6, severity) * motion;
    let (sin, cos) = libm::sincosf(dice.angle());
    look.optics.motion_px.0 += length * cos;
    look.optics.motion_px.1 += length * sin;
}

fn noise(look: &mut Look, severity: f32, dice: &mut Dice) {
    look.sensor.full_e = mix_log(800.0, 22.0, severity);
    look.sensor.read_e = dice.between(1.5, 3.0);
    look.sensor.row_e = dice.between(0.0, 1.0);
}

fn exposure(look: &mut Look, severity: f32, dice: &mut Dice) {
    if dice.chance(0.5) {
        look.sensor.exposure = mix_log(0.25, 0.014, severity);
    } else {
        look.sensor.exposure = mix_log(1.5, 10.0, severity);
        look.optics.bloom = mix(0.03, 0.16, severity);
        look.optics.softness_px = dice.between(0.45, 0.8);
    }
}

fn glare(look: &mut Look, severity: f32, dice: &mut Dice) {
    let phone = &mut look.phones[0];
    let half = phone.kind.modules() as f32 / 2.0;
    let reach = half * mix(0.1, 0.33, severity);
    phone.glare = Some(Glare {
        centre: (dice.between(-half, half), dice.between(-half, half)),
        along: reach * dice.between(0.8, 2.0),
        across: reach * dice.between(0.4, 0.9),
        turned: libm::sincosf(dice.angle()),
        peak: mix_log(0.4, 4.0, severity),
        halo: dice.between(0.0, 0.25),
    });
}

fn moire(look: &mut Look, severity: f32, dice: &mut Dice) {
    let phone = &mut look.phones[0];
    phone.page.stripes = true;
    phone.page.dots_per_module = dice.index(4) + 2;
    phone.placement.module_px = mix(4.6, 2.3, severity) * dice.between(0.9, 1.1);
    look.optics.softness_px = dice.between(0.2, 0.4);
    look.optics.defocus_px = 0.0;
    look.optics.motion_px = (0.0, 0.0);
    look.samples = 5;
}

fn dim(look: &mut Look, severity: f32, dice: &mut Dice) {
    look.ambient = 1.0;
    look.sensor.exposure = dice.between(0.35, 0.8);
    look.phones[0].brightness = mix_log(0.5, 0.03, severity);
    look.phones[0].veil = dice.between(0.06, 0.18);
}

fn cracked(look: &mut Look, severity: f32, dice: &mut Dice) {
    look.phones[0].cracks = Some(CrackLook {
        rays: (mix(4.0, 13.0, severity) + dice.between(-1.0, 1.0)) as usize,
        rings: mix(0.0, 10.0, severity) as usize,
        bend: mix(0.2, 0.8, severity),
        width: mix(0.15, 0.5, severity),
        glint: mix(0.2, 1.0, severity) * dice.between(0.5, 1.0),
    });
}

fn dark(look: &mut Look, severity: f32, dice: &mut Dice) {
    let phone = &mut look.phones[0];
    phone.page.dark_page = true;
    if dice.chance(0.6) {
        phone.page.inverted = true;
        phone.page.light = mix(1.0, 0.35, severity);
        phone.page.dark = dice.between(0.006, 0.05);
        phone.veil = look.ambient * mix(0.02, 0.25, severity);
    } else {
        phone.page.quiet_modules = mix(3.0, 1.0, severity);
    }
    phone.placement.module_px = mix(4.4, 2.4, severity);
}

fn several(look: &mut Look, severity: f32, dice: &mut Dice) {
    look.size = if dice.chance(0.5) { (640, 480) } else { (1280, 720) };
    let count = if dice.chance(0.5) { 2 } else { 3 };
    let (width, height) = (look.size.0 as f32, look.size.1 as f32);
    let (ambient, size) = (look.ambient, look.size);
    look.phones = (0..count)
        .map(|at| {
            let kind = if count == 2 && dice.chance(0.2) { Kind::Full } else { Kind::Short };
            let mut phone = phone(kind, ambient, size, dice);
            let room = width / count as f32;
            let largest = (room / (kind.modules() as f32 + 12.0)).min(4.0);
            phone.placement.module_px = largest.min(mix(3.6, 2.3, severity)) * dice.between(0.9, 1.0);
            phone.placement.centre_px.0 = room * (at as f32 + 0.5) + room * dice.between(-0.06, 0.06);
            phone.placement.centre_px.1 = height * dice.between(0.35, 0.65);
            phone
        })
        .collect();
}

fn shutter(look: &mut Look, severity: f32, dice: &mut Dice) {
    let size = mix(0.3, 1.0, severity);
    let mut shutter = Shutter { phase: dice.angle(), ..Shutter::default() };
    shutter.drift_px = (dice.sign() * 0.4 * size * dice.unit(), dice.sign() * 0.25 * size * dice.unit());
    if dice.chance(0.6) {
        shutter.tremble_px = (3.0 * size * dice.unit(), 1.5 * size * dice.unit());
        shutter.tremble_cycles = dice.between(1.0, 6.0);
    }
    if dice.chance(0.7) {
        shutter.flicker = 0.9 * size * dice.between(0.4, 1.0);
        shutter.flicker_cycles = dice.between(2.0, 14.0);
        shutter.flicker_edge = dice.between(1.0, 6.0);
    }
    look.shutter = shutter;
}

fn mixed(look: &mut Look, dice: &mut Dice) {
    const PARTS: [Condition; 11] = [
        Condition::Tilt,
        Condition::Rotation,
        Condition::Noise,
        Condition::Exposure,
        Condition::Glare,
        Condition::Reflections,
        Condition::Dim,
        Condition::Cracked,
        Condition::Dark,
        Condition::Shutter,
        Condition::Blur,
    ];
    let mut parts = PARTS;
    for at in 0..3 {
        parts.swap(at, at + dice.index(PARTS.len() - at));
    }
    // In the table's order, since blur is measured in the modules that others choose.
    let mut chosen = [parts[0], parts[1], parts[2]];
    chosen.sort_by_key(|part| PARTS.iter().position(|one| one == part));
    for part in chosen {
        part.apply(look, dice.between(0.05, 0.6), 0, dice);
    }
}
