//! Cracked glass over a display: lines from a point of impact and across, which bend the light beside them and are
//! themselves bright or dark.
//!
//! Lengths are in modules. The cracks are drawn once onto a fine grid, so that asking a point costs a look-up.

use super::dice::Dice;
use super::page::Display;

/// Cells along a module.
const CELLS: f32 = 8.0;
/// How far a crack bends light, in modules.
const REACH: f32 = 2.5;

/// How badly the glass is broken.
#[derive(Clone, Copy, Debug)]
pub struct CrackLook {
    /// Cracks that run out from the point of impact.
    pub rays: usize,
    /// Cracks that join neighbouring rays.
    pub rings: usize,
    /// How far the image jumps beside a crack, at most.
    pub bend: f32,
    /// Width of the line itself, at most.
    pub width: f32,
    /// How much light a bright line throws, at most; 1 is as bright as the display.
    pub glint: f32,
}

/// What the glass does at a point.
#[derive(Clone, Copy, Debug)]
pub struct Bent {
    pub du: f32,
    pub dv: f32,
    /// What part of the light comes through.
    pub through: f32,
    /// What light is added.
    pub added: f32,
}

const WHOLE: Bent = Bent { du: 0.0, dv: 0.0, through: 1.0, added: 0.0 };

pub struct Cracks {
    display: Display,
    columns: usize,
    rows: usize,
    cells: Vec<Bent>,
}

#[derive(Clone, Copy)]
struct Segment {
    from: (f32, f32),
    to: (f32, f32),
    bend: f32,
    width: f32,
    through: f32,
    added: f32,
}

impl Cracks {
    pub fn draw(look: &CrackLook, display: Display, modules: usize, dice: &mut Dice) -> Cracks {
        let (columns, rows) = ((display.width * CELLS) as usize, (display.height * CELLS) as usize);
        let mut cracks = Cracks { display, columns, rows, cells: vec![WHOLE; columns * rows] };
        let half = modules as f32 * 0.6;
        let impact = (dice.between(-half, half), dice.between(-half, half));
        let turn = dice.angle();
        let mut rays: Vec<Vec<(f32, f32)>> = Vec::new();
        for ray in 0..look.rays {
            let share = (ray as f32 + dice.between(-0.35, 0.35)) / look.rays as f32;
            rays.push(cracks.ray(look, impact, turn + share * std::f32::consts::TAU, dice));
        }
        for _ in 0..look.rings {
            let first = dice.index(rays.len());
            let second = (first + 1) % rays.len();
            let at = dice.index(9) + 1;
            if let (Some(&from), Some(&to)) = (rays[first].get(at), rays[second].get(at)) {
                cracks.engrave(&segment(look, from, to, dice));
            }
        }
        cracks
    }

    /// One crack outward, to the display's edge or until it ends by itself.
    fn ray(&mut self, look: &CrackLook, impact: (f32, f32), angle: f32, dice: &mut Dice) -> Vec<(f32, f32)> {
        const STEPS_MAX: usize = 40;
        let mut points = vec![impact];
        let (mut at, mut angle) = (impact, angle);
        let steps = dice.index(STEPS_MAX - 5) + 5;
        for _ in 0..steps {
            angle += dice.bell() * 0.22;
            let (sin, cos) = libm::sincosf(angle);
            let length = dice.between(1.5, 4.5);
            let next = (at.0 + cos * length, at.1 + sin * length);
            self.engrave(&segment(look, at, next, dice));
            points.push(next);
            at = next;
        }
        points
    }

    fn engrave(&mut self, segment: &Segment) {
        let Segment { from, to, .. } = *segment;
        let (along_u, along_v) = (to.0 - from.0, to.1 - from.1);
        let length = (along_u * along_u + along_v * along_v).sqrt().max(1e-3);
        let (along_u, along_v) = (along_u / length, along_v / length);
        let clamp = |value: f32, limit: usize| (value * CELLS).clamp(0.0, limit as f32) as usize;
        let (left, top) = (self.display.left, self.display.top);
        let columns =
            clamp(from.0.min(to.0) - REACH - left, self.columns)..clamp(from.0.max(to.0) + REACH - left, self.columns);
        let rows = clamp(from.1.min(to.1) - REACH - top, self.rows)..clamp(from.1.max(to.1) + REACH - top, self.rows);
        for row in rows {
            for column in columns.clone() {
                let u = (column as f32 + 0.5) / CELLS + left - from.0;
                let v = (row as f32 + 0.5) / CELLS + top - from.1;
                let along = u * along_u + v * along_v;
                let across = v * along_u - u * along_v;
                let past = (-along).max(along - length).max(0.0);
                let away = (across * across + past * past).sqrt();
                if away > REACH {
                    continue;
                }
                let cell = &mut self.cells[row * self.columns + column];
                if past == 0.0 {
                    let shift = segment.bend * across.signum() * libm::expf(-away / 0.7);
                    cell.du -= along_v * shift;
                    cell.dv += along_u * shift;
                }
                if away < segment.width / 2.0 {
                    cell.through *= segment.through;
                    cell.added = cell.added.max(segment.added);
                }
            }
        }
    }

    /// What the glass does to the light that is seen here.
    pub fn at(&self, u: f32, v: f32) -> Bent {
        let (x, y) = ((u - self.display.left) * CELLS, (v - self.display.top) * CELLS);
        if x < 0.0 || y < 0.0 || x >= self.columns as f32 || y >= self.rows as f32 {
            return WHOLE;
        }
        self.cells[y as usize * self.columns + x as usize]
    }
}

fn segment(look: &CrackLook, from: (f32, f32), to: (f32, f32), dice: &mut Dice) -> Segment {
    let bright = dice.chance(0.6);
    Segment {
        from,
        to,
        bend: look.bend * dice.between(-1.0, 1.0),
        width: look.width * dice.between(0.4, 1.0),
        through: if bright { 0.8 } else { dice.between(0.1, 0.6) },
        added: if bright { look.glint * dice.between(0.2, 1.0) } else { 0.0 },
    }
}
