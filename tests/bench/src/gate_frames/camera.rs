//! Where a phone is held and how the camera sees it: a pinhole, and a shutter that may read its rows one after another.

/// How a phone is held.
#[derive(Clone, Copy, Debug)]
pub struct Placement {
    /// Where the code's middle appears, in pixels.
    pub centre_px: (f32, f32),
    /// Size of a module there, before tilt.
    pub module_px: f32,
    /// Turned in the picture's plane, in radians.
    pub roll: f32,
    /// Turned away about the phone's own upright and level axis, in radians.
    pub yaw: f32,
    pub pitch: f32,
}

/// Focal length, in widths of the frame: about 58 degrees of view.
const FOCAL_WIDTHS: f64 = 0.9;

/// From the phone's plane, in modules about the code's middle, to pixels, and back.
#[derive(Clone, Debug)]
pub struct Projection {
    onward: [f64; 9],
    back: [f32; 9],
}

impl Projection {
    /// `None` where the plane is seen edge on.
    pub fn of(placement: &Placement, size: (usize, usize)) -> Option<Projection> {
        let focal = FOCAL_WIDTHS * size.0 as f64;
        let middle = (size.0 as f64 / 2.0, size.1 as f64 / 2.0);
        let turn = |angle: f32| libm::sincos(f64::from(angle));
        let ((roll_sin, roll_cos), (yaw_sin, yaw_cos), (pitch_sin, pitch_cos)) =
            (turn(placement.roll), turn(placement.yaw), turn(placement.pitch));
        // The plane's own axes after yaw about its upright and pitch about the level one, then roll about the view.
        let rolled = |x: f64, y: f64, z: f64| [x * roll_cos - y * roll_sin, x * roll_sin + y * roll_cos, z];
        let u = rolled(yaw_cos, yaw_sin * pitch_sin, yaw_sin * pitch_cos);
        let v = rolled(0.0, pitch_cos, -pitch_sin);
        let away = focal / f64::from(placement.module_px);
        let offset = |at: f32, middle: f64| (f64::from(at) - middle) / focal * away;
        let at = [offset(placement.centre_px.0, middle.0), offset(placement.centre_px.1, middle.1), away];
        let mut onward = [0.0; 9];
        for (column, axis) in [u, v, at].iter().enumerate() {
            onward[column] = focal * axis[0] + middle.0 * axis[2];
            onward[3 + column] = focal * axis[1] + middle.1 * axis[2];
            onward[6 + column] = axis[2];
        }
        Some(Projection { onward, back: inverse(&onward)?.map(|value| value as f32) })
    }

    /// Where a point of the phone appears; `None` behind the camera.
    pub fn to_frame(&self, u: f32, v: f32) -> Option<(f32, f32)> {
        let m = &self.onward;
        let (u, v) = (f64::from(u), f64::from(v));
        let w = m[6] * u + m[7] * v + m[8];
        (w > 1e-3).then(|| (((m[0] * u + m[1] * v + m[2]) / w) as f32, ((m[3] * u + m[4] * v + m[5]) / w) as f32))
    }

    pub fn to_phone(&self, x: f32, y: f32) -> (f32, f32) {
        let m = &self.back;
        let w = 1.0 / (m[6] * x + m[7] * y + m[8]);
        ((m[0] * x + m[1] * y + m[2]) * w, (m[3] * x + m[4] * y + m[5]) * w)
    }
}

fn inverse(m: &[f64; 9]) -> Option<[f64; 9]> {
    let minor = |a: usize, b: usize, c: usize, d: usize| m[a] * m[d] - m[b] * m[c];
    let first = [minor(4, 5, 7, 8), -minor(3, 5, 6, 8), minor(3, 4, 6, 7)];
    let determinant = m[0] * first[0] + m[1] * first[1] + m[2] * first[2];
    if determinant.abs() < 1e-9 {
        return None;
    }
    let inverse = [
        first[0],
        -minor(1, 2, 7, 8),
        minor(1, 2, 4, 5),
        first[1],
        minor(0, 2, 6, 8),
        -minor(0, 2, 3, 5),
        first[2],
        -minor(0, 1, 6, 7),
        minor(0, 1, 3, 4),
    ];
    Some(inverse.map(|value| value / determinant))
}

/// What moves and flickers while the rows are read from the top to the bottom.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shutter {
    /// How far the view moves from one row to the next, in pixels.
    pub drift_px: (f32, f32),
    /// A tremble: how far, how often in a frame, and where it begins.
    pub tremble_px: (f32, f32),
    pub tremble_cycles: f32,
    pub phase: f32,
    /// How much of the light a dimmed display's flicker takes, how often in a frame, and how sharply it switches.
    pub flicker: f32,
    pub flicker_cycles: f32,
    pub flicker_edge: f32,
}

impl Shutter {
    /// How far the view has moved at the row `y` of `height`.
    pub fn offset(&self, y: f32, height: f32) -> (f32, f32) {
        let (sin, cos) = libm::sincosf(self.phase + y / height * self.tremble_cycles * std::f32::consts::TAU);
        let since = y - height / 2.0;
        (self.drift_px.0 * since + self.tremble_px.0 * sin, self.drift_px.1 * since + self.tremble_px.1 * cos)
    }

    /// The part of a display's light that the row `y` gets.
    pub fn light(&self, y: f32, height: f32) -> f32 {
        if self.flicker == 0.0 {
            return 1.0;
        }
        let wave = libm::sinf(self.phase + y / height * self.flicker_cycles * std::f32::consts::TAU);
        1.0 - self.flicker * ((wave * self.flicker_edge).clamp(-1.0, 1.0) * 0.5 + 0.5)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_appears_where_it_was_placed_and_every_point_comes_back() {
        let placement = Placement { centre_px: (250.0, 300.0), module_px: 3.0, roll: 0.7, yaw: -0.6, pitch: 0.4 };
        let projection = Projection::of(&placement, (640, 480)).unwrap();
        let (x, y) = projection.to_frame(0.0, 0.0).unwrap();
        assert!((x - 250.0).abs() < 1e-3 && (y - 300.0).abs() < 1e-3, "{x} {y}");
        for (u, v) in [(10.0, -3.0), (-18.0, 18.0), (5.0, 5.0)] {
            let (x, y) = projection.to_frame(u, v).unwrap();
            let (back_u, back_v) = projection.to_phone(x, y);
            assert!((back_u - u).abs() < 1e-3 && (back_v - v).abs() < 1e-3);
        }
    }

    #[test]
    fn an_upright_phone_has_modules_of_the_size_that_was_asked() {
        let placement = Placement { centre_px: (320.0, 240.0), module_px: 2.5, roll: 0.0, yaw: 0.0, pitch: 0.0 };
        let projection = Projection::of(&placement, (640, 480)).unwrap();
        let (x, y) = projection.to_frame(10.0, -4.0).unwrap();
        assert!((x - 345.0).abs() < 1e-3 && (y - 230.0).abs() < 1e-3, "{x} {y}");
    }
}
