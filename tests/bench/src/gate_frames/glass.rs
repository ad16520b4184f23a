//! What the glass throws at the camera beside the page's own light: a veil, a lamp's glare, the room behind the reader.
//!
//! Lengths are in modules about the code's middle; light is linear, 1 for the display's full white.

use super::dice::Dice;

/// A soft bright spot.
#[derive(Clone, Copy, Debug)]
pub struct Glare {
    pub centre: (f32, f32),
    /// How far it reaches along and across.
    pub along: f32,
    pub across: f32,
    /// Sine and cosine of the angle that it is turned by.
    pub turned: (f32, f32),
    /// Light in its middle.
    pub peak: f32,
    /// How much of that is a wide halo.
    pub halo: f32,
}

impl Glare {
    fn at(&self, u: f32, v: f32) -> f32 {
        let (sin, cos) = self.turned;
        let (du, dv) = (u - self.centre.0, v - self.centre.1);
        let along = (du * cos + dv * sin) / self.along;
        let across = (dv * cos - du * sin) / self.across;
        let square = along * along + across * across;
        let spot = if square < 20.0 { libm::expf(-square / 2.0) } else { 0.0 };
        self.peak * (spot * (1.0 - self.halo) + self.halo / (1.0 + square / 4.0))
    }
}

/// A second, faint image: lamps in rows, a bright window, a slope of light across the glass.
#[derive(Clone, Debug)]
pub struct Reflection {
    /// Soft-edged panes: middle, half sizes, light.
    panes: Vec<Pane>,
    /// Sine and cosine of the angle that it is turned by.
    turned: (f32, f32),
    softness: f32,
    slope: (f32, f32),
    level: f32,
}

#[derive(Clone, Copy, Debug)]
struct Pane {
    centre: (f32, f32),
    half: (f32, f32),
    light: f32,
}

impl Reflection {
    /// A room of this brightness at its lamps, over a symbol of this many modules.
    pub fn draw(strength: f32, modules: usize, dice: &mut Dice) -> Reflection {
        let reach = modules as f32 * 0.7;
        let mut panes = Vec::new();
        if dice.chance(0.5) {
            // A ceiling's tubes, or the bars of a window.
            let count = dice.index(4) + 2;
            let gap = dice.between(7.0, 16.0);
            let half = (dice.between(10.0, 40.0), gap * dice.between(0.12, 0.4));
            let start = dice.between(-reach, reach) - gap * count as f32 / 2.0;
            let light = strength * dice.between(0.6, 1.0);
            let across = dice.between(-10.0, 10.0);
            panes.extend((0..count).map(|at| Pane { centre: (across, start + gap * at as f32), half, light }));
        }
        for _ in 0..dice.index(4) + 1 {
            panes.push(Pane {
                centre: (dice.between(-reach, reach), dice.between(-reach, reach)),
                half: (dice.between(3.0, 18.0), dice.between(3.0, 18.0)),
                light: strength * dice.between(0.3, 1.0),
            });
        }
        let steepness = strength * dice.between(0.0, 0.6) / reach;
        let (sin, cos) = libm::sincosf(dice.angle());
        Reflection {
            panes,
            turned: libm::sincosf(dice.angle()),
            softness: dice.between_log(0.15, 3.0),
            slope: (cos * steepness, sin * steepness),
            level: strength * dice.between(0.0, 0.5),
        }
    }

    fn at(&self, u: f32, v: f32) -> f32 {
        let (sin, cos) = self.turned;
        let (x, y) = (u * cos + v * sin, v * cos - u * sin);
        let mut light = (self.level + u * self.slope.0 + v * self.slope.1).max(0.0);
        for pane in &self.panes {
            let inside = (pane.half.0 - (x - pane.centre.0).abs()).min(pane.half.1 - (y - pane.centre.1).abs());
            light += pane.light * (inside / self.softness + 0.5).clamp(0.0, 1.0);
        }
        light
    }
}

/// All that one phone's glass adds.
#[derive(Clone, Debug, Default)]
pub struct Glass {
    /// The even part: ambient light scattered by dust and grease.
    pub veil: f32,
    pub glare: Option<Glare>,
    pub reflection: Option<Reflection>,
}

impl Glass {
    pub fn at(&self, u: f32, v: f32) -> f32 {
        self.veil
            + self.glare.as_ref().map_or(0.0, |glare| glare.at(u, v))
            + self.reflection.as_ref().map_or(0.0, |reflection| reflection.at(u, v))
    }
}
