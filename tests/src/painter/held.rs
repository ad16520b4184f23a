//! How a code is held: where, how turned and how tilted, and the way from a place of the picture back onto its plane.

use super::{PaintError, Picture, symbol};

/// Modules of light around a symbol, as its standard asks.
pub(super) const QUIET_MODULES: f32 = 4.0;
/// Samples a pixel and direction: a sensor's pixel sees an area.
const SAMPLES: u32 = 3;
/// How far the camera is from a tilted symbol, in sides of the symbol.
const DISTANCE_SIDES: f32 = 3.0;

/// Where and how a code is held into the view.
#[derive(Clone, Copy, Debug)]
pub struct Held {
    /// Side of a module, before tilt.
    pub module_px: f32,
    /// Middle of the symbol.
    pub centre: (f32, f32),
    /// Turned in the picture's plane, clockwise.
    pub rotation_deg: f32,
    /// Turned about an axis in the symbol's plane, what is right of the axis away from the camera.
    pub tilt_deg: f32,
    /// That axis, clockwise from the symbol's upright one.
    pub tilt_axis_deg: f32,
    /// Brightness of its dark and light modules.
    pub dark: u8,
    pub light: u8,
}

impl Held {
    /// Upright in the middle of a picture of this size, black on white.
    pub fn in_the_middle(width: usize, height: usize, module_px: f32) -> Held {
        let centre = (width as f32 / 2.0, height as f32 / 2.0);
        Held { module_px, centre, rotation_deg: 0.0, tilt_deg: 0.0, tilt_axis_deg: 0.0, dark: 20, light: 235 }
    }
}

/// A pinhole camera in front of a held plane.
pub(super) struct Pinhole {
    held: Held,
    distance: f32,
    rotation: (f32, f32),
    axis: (f32, f32),
    tilt: (f32, f32),
}

impl Pinhole {
    /// `modules`: the symbol's side.
    pub(super) fn new(held: &Held, modules: i32) -> Pinhole {
        Pinhole {
            held: *held,
            distance: DISTANCE_SIDES * modules as f32,
            rotation: held.rotation_deg.to_radians().sin_cos(),
            axis: held.tilt_axis_deg.to_radians().sin_cos(),
            tilt: held.tilt_deg.to_radians().sin_cos(),
        }
    }

    /// What a place of the picture shows of the plane, in modules from the symbol's middle. Nothing above the horizon.
    pub(super) fn onto_plane(&self, x: f32, y: f32) -> Option<(f32, f32)> {
        // Back through rotation, then through the pinhole onto the tilted symbol.
        let (px, py) = (x - self.held.centre.0, y - self.held.centre.1);
        let (u, v) = turned_back((px, py), self.rotation);
        let (u, v) = turned_back((u / self.held.module_px, v / self.held.module_px), self.axis);
        let (sin, cos) = self.tilt;
        let towards = self.distance * cos - u * sin;
        if towards <= 0.0 {
            return None;
        }
        let along = u * self.distance / towards;
        let across = v * (self.distance + along * sin) / self.distance;
        Some(turned_back((along, across), (-self.axis.0, self.axis.1)))
    }
}

fn turned_back((x, y): (f32, f32), (sin, cos): (f32, f32)) -> (f32, f32) {
    (x * cos + y * sin, -x * sin + y * cos)
}

/// Places within a pixel at which it is sampled.
pub(super) fn samples(x: usize, y: usize) -> impl ExactSizeIterator<Item = (f32, f32)> {
    let step = 1.0 / SAMPLES as f32;
    (0..SAMPLES * SAMPLES).map(move |sample| {
        let (column, row) = (sample % SAMPLES, sample / SAMPLES);
        (x as f32 + (column as f32 + 0.5) * step, y as f32 + (row as f32 + 0.5) * step)
    })
}

impl Picture {
    /// Paints a code with its quiet zone over what is there.
    pub fn hold(&mut self, text: &str, held: &Held) -> Result<(), PaintError> {
        let code = symbol(text)?;
        let half = code.size() as f32 / 2.0;
        let reach = half + QUIET_MODULES;
        let pinhole = Pinhole::new(held, code.size());
        for y in 0..self.height {
            for x in 0..self.width {
                let at = y * self.width + x;
                let (mut sum, mut count, mut inside) = (0u32, 0u32, false);
                for (px, py) in samples(x, y) {
                    let on_plane = pinhole.onto_plane(px, py);
                    sum += u32::from(match on_plane.filter(|(u, v)| u.abs() <= reach && v.abs() <= reach) {
                        Some((u, v)) => {
                            inside = true;
                            let dark = code.get_module((u + half).floor() as i32, (v + half).floor() as i32);
                            if dark { held.dark } else { held.light }
                        }
                        None => self.luma[at],
                    });
                    count += 1;
                }
                if inside {
                    self.luma[at] = (sum / count) as u8;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tilt_makes_the_far_side_smaller_about_any_axis() {
        // Of a symbol tilted by 40 degrees, its far edge is nearer to the middle of the picture than its near edge.
        for (axis_deg, right, down) in [(0.0, 1.0, 0.0), (90.0, 0.0, 1.0), (180.0, -1.0, 0.0), (270.0, 0.0, -1.0)] {
            let held = Held { tilt_deg: 40.0, tilt_axis_deg: axis_deg, ..Held::in_the_middle(640, 480, 6.0) };
            let pinhole = Pinhole::new(&held, 37);
            let at = |px: f32| pinhole.onto_plane(320.0 + right * px, 240.0 + down * px).unwrap();
            let along = |(u, v): (f32, f32)| u * right + v * down;
            let (far, near) = (along(at(60.0)), -along(at(-60.0)));
            assert!(far > near * 1.1, "{axis_deg}: {far} {near}");
            let (u, v) = at(60.0);
            assert!((u * down + v * right).abs() < 0.01, "{axis_deg}: straight along the tilt: {u} {v}");
        }
    }

    #[test]
    fn nothing_is_seen_above_the_horizon() {
        let held = Held { tilt_deg: 80.0, ..Held::in_the_middle(640, 480, 6.0) };
        assert_eq!(Pinhole::new(&held, 21).onto_plane(639.0, 240.0), None);
    }
}
