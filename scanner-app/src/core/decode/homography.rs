//! The mapping between a plane seen at an angle and the picture of it, and its fitting to what was measured.

use super::linear::Normal;
use super::picture::Point;

/// A projective mapping of the plane, row by row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Homography([f32; 9]);

impl Homography {
    pub(super) fn map(&self, p: Point) -> Point {
        let m = &self.0;
        let w = m[6] * p.x + m[7] * p.y + m[8];
        let w = if w.abs() < 1e-9 { 1e-9 } else { w };
        let scale = 1.0 / w;
        Point::new((m[0] * p.x + m[1] * p.y + m[2]) * scale, (m[3] * p.x + m[4] * p.y + m[5]) * scale)
    }

    /// The mapping back; `None` when the plane is seen edge on.
    pub(super) fn inverse(&self) -> Option<Homography> {
        let [a, b, c, d, e, f, g, h, i] = self.0.map(f64::from);
        let out = [
            e * i - f * h,
            c * h - b * i,
            b * f - c * e,
            f * g - d * i,
            a * i - c * g,
            c * d - a * f,
            d * h - e * g,
            b * g - a * h,
            a * e - b * d,
        ];
        let size = out[8];
        if size.abs() < 1e-12 || !size.is_finite() {
            return None;
        }
        Some(Homography(out.map(|v| (v / size) as f32)))
    }

    /// The mapping that takes each `from` to its `to`; `None` when three of them lie on a line.
    pub(super) fn of_quad(from: [Point; 4], to: [Point; 4]) -> Option<Homography> {
        let mut fit = Fit::new(from[0]);
        for (f, t) in from.iter().zip(to) {
            fit.is_at_x(*f, t.x, 1.0);
            fit.is_at_y(*f, t.y, 1.0);
        }
        fit.solve(0.0)
    }
}

/// Gathers measurements "this place has that x" and "this place has that y" and finds the mapping that fits them best.
pub(super) struct Fit {
    normal: Normal<8>,
    origin: Point,
}

impl Fit {
    /// `origin` is a place in the middle of those to come: the equations are better behaved around it.
    pub(super) fn new(origin: Point) -> Fit {
        Fit { normal: Normal::new(), origin }
    }

    pub(super) fn is_at_x(&mut self, p: Point, x: f32, weight: f32) {
        let (px, py, x) = self.relative(p, x);
        self.normal.add(&[px, py, 1.0, 0.0, 0.0, 0.0, -x * px, -x * py], x, weight.into());
    }

    pub(super) fn is_at_y(&mut self, p: Point, y: f32, weight: f32) {
        let (px, py, y) = self.relative(p, y);
        self.normal.add(&[0.0, 0.0, 0.0, px, py, 1.0, -y * px, -y * py], y, weight.into());
    }

    fn relative(&self, p: Point, value: f32) -> (f64, f64, f64) {
        (f64::from(p.x - self.origin.x), f64::from(p.y - self.origin.y), f64::from(value))
    }

    /// The best mapping. `stiffness` holds it back from perspective where the measurements say little about it.
    pub(super) fn solve(&self, stiffness: f64) -> Option<Homography> {
        let mut normal = self.normal.clone();
        normal.hold(6, stiffness);
        normal.hold(7, stiffness);
        let [a, b, c, d, e, f, g, h] = normal.solve()?;
        // Back from the origin: p - origin for p.
        let (ox, oy) = (f64::from(self.origin.x), f64::from(self.origin.y));
        let out = [a, b, c - a * ox - b * oy, d, e, f - d * ox - e * oy, g, h, 1.0 - g * ox - h * oy];
        out.iter().all(|v| v.is_finite()).then(|| Homography(out.map(|v| v as f32)))
    }
}
