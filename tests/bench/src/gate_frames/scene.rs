//! What is in view: phones in hands before a backdrop, as linear light. 1 is the full white of a display at full
//! brightness.

use super::camera::{Placement, Projection, Shutter};
use super::cracks::Cracks;
use super::dice::Dice;
use super::glass::Glass;
use super::optics::Light;
use super::page::Page;

/// A phone as it is held.
pub struct Phone {
    pub page: Page,
    pub placement: Placement,
    pub brightness: f32,
    pub glass: Glass,
    pub cracks: Option<Cracks>,
    pub hand: Hand,
    /// Width of the frame around the display, in modules, and its light.
    pub bezel: f32,
    pub bezel_light: f32,
}

/// Fingers over the phone's edge and the palm below it, in modules about the code's middle.
pub struct Hand {
    fingers: Vec<Finger>,
    skin: f32,
}

#[derive(Clone, Copy)]
struct Finger {
    from: (f32, f32),
    to: (f32, f32),
    radius: f32,
}

impl Finger {
    /// Whether a point is in the rectangle around it, which is soon asked.
    fn near(&self, u: f32, v: f32) -> bool {
        let within = |at: f32, a: f32, b: f32| a.min(b) - self.radius <= at && at <= a.max(b) + self.radius;
        within(u, self.from.0, self.to.0) && within(v, self.from.1, self.to.1)
    }
}

impl Hand {
    /// A hand that leaves the code's card free, which reaches `card` modules from its middle.
    pub fn draw(page: &Page, card: f32, skin: f32, dice: &mut Dice) -> Hand {
        let display = page.display;
        let side = dice.sign();
        let edge = display.width / 2.0;
        let mut fingers = Vec::new();
        // The thumb lies across the lower page.
        let thumb = card + dice.between(6.0, 22.0);
        let reach = dice.between(2.0, 14.0);
        fingers.push(Finger {
            from: (side * (edge + 8.0), thumb + dice.between(4.0, 12.0)),
            to: (side * (edge - reach), thumb),
            radius: dice.between(3.5, 5.5),
        });
        let first = dice.between(-8.0, 10.0);
        for at in 0..4 {
            let v = first + at as f32 * dice.between(8.0, 10.0);
            fingers.push(Finger {
                from: (-side * (edge + 9.0), v + 2.0),
                to: (-side * (edge + dice.between(0.5, 2.5)), v),
                radius: dice.between(3.0, 4.2),
            });
        }
        let palm = display.top + display.height + dice.between(0.0, 14.0);
        fingers.push(Finger { from: (0.0, palm + 60.0), to: (side * 8.0, palm), radius: edge * 0.8 });
        Hand { fingers, skin }
    }

    fn light_at(&self, u: f32, v: f32) -> Option<f32> {
        self.fingers.iter().find_map(|finger| {
            if !finger.near(u, v) {
                return None;
            }
            let (du, dv) = (finger.to.0 - finger.from.0, finger.to.1 - finger.from.1);
            let (pu, pv) = (u - finger.from.0, v - finger.from.1);
            let share = ((pu * du + pv * dv) / (du * du + dv * dv)).clamp(0.0, 1.0);
            let (pu, pv) = (pu - du * share, pv - dv * share);
            let square = (pu * pu + pv * pv) / (finger.radius * finger.radius);
            (square < 1.0).then(|| self.skin * (0.35 + 0.65 * (1.0 - square).sqrt()))
        })
    }
}

/// What is behind the phones: soft shapes of a crowd, and a few sharp ones.
pub struct Backdrop {
    base: f32,
    slope: (f32, f32),
    shapes: Vec<Shape>,
}

#[derive(Clone, Copy)]
struct Shape {
    centre: (f32, f32),
    half: (f32, f32),
    softness: f32,
    light: f32,
    /// Stripes of a shirt or a barrier: pixels from one to the next, 0 for none.
    stripe_px: f32,
}

impl Backdrop {
    pub fn draw(ambient: f32, size: (usize, usize), dice: &mut Dice) -> Backdrop {
        let (width, height) = (size.0 as f32, size.1 as f32);
        let mut shapes = Vec::new();
        for _ in 0..dice.index(10) + 5 {
            let sharp = dice.chance(0.25);
            shapes.push(Shape {
                centre: (dice.between(0.0, width), dice.between(0.0, height)),
                half: (dice.between(0.03, 0.35) * width, dice.between(0.03, 0.5) * height),
                softness: if sharp { dice.between(1.0, 3.0) } else { dice.between(10.0, 60.0) },
                light: ambient * dice.between_log(0.04, 1.2),
                stripe_px: if sharp && dice.chance(0.5) { dice.between(5.0, 24.0) } else { 0.0 },
            });
        }
        let base = ambient * dice.between(0.1, 0.6);
        let slope = (base * dice.between(-0.8, 0.8) / width, base * dice.between(-0.8, 0.8) / height);
        Backdrop { base, slope, shapes }
    }

    fn light_at(&self, x: f32, y: f32) -> f32 {
        let mut light = self.base + self.slope.0 * x + self.slope.1 * y;
        for shape in &self.shapes {
            let inside = (shape.half.0 - (x - shape.centre.0).abs()).min(shape.half.1 - (y - shape.centre.1).abs());
            let cover = (inside / shape.softness + 0.5).clamp(0.0, 1.0);
            if cover > 0.0 {
                let striped =
                    shape.stripe_px > 0.0 && (x + 0.3 * y).rem_euclid(shape.stripe_px) < shape.stripe_px / 2.0;
                let own = if striped { shape.light * 0.3 } else { shape.light };
                light += (own - light) * cover;
            }
        }
        light.max(0.0)
    }
}

/// All that the camera looks at.
pub struct Scene {
    pub size: (usize, usize),
    pub backdrop: Backdrop,
    /// The nearest first.
    pub phones: Vec<Phone>,
    pub shutter: Shutter,
}

/// A phone with what looking at it needs.
struct Seen<'a> {
    phone: &'a Phone,
    projection: Projection,
    /// The pixels that it and its hand may cover.
    bounds: [f32; 4],
}

impl Phone {
    /// How far its case and the hand reach from the display's edges.
    const HAND_REACH: f32 = 14.0;

    fn seen(&self, size: (usize, usize)) -> Option<Seen<'_>> {
        let projection = Projection::of(&self.placement, size)?;
        let display = self.page.display;
        let (width, height) = (size.0 as f32, size.1 as f32);
        let mut bounds = [width, height, 0.0, 0.0];
        for (u, v) in [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)] {
            let reach = |share: f32| (share * 2.0 - 1.0) * Self::HAND_REACH;
            let corner =
                (display.left + u * display.width + reach(u), display.top + v * (display.height + 40.0) + reach(v));
            // A corner behind the camera may appear anywhere.
            let Some((x, y)) = projection.to_frame(corner.0, corner.1) else {
                return Some(Seen { phone: self, projection, bounds: [0.0, 0.0, width, height] });
            };
            bounds = [bounds[0].min(x), bounds[1].min(y), bounds[2].max(x), bounds[3].max(y)];
        }
        Some(Seen { phone: self, projection, bounds })
    }

    /// The light that comes from this point of the phone's plane; `None` beside phone and hand.
    fn light_at(&self, u: f32, v: f32, flicker: f32) -> Option<f32> {
        if let Some(skin) = self.hand.light_at(u, v) {
            return Some(skin);
        }
        let display = self.page.display;
        let (half_width, half_height) = (display.width / 2.0 + self.bezel, display.height / 2.0 + self.bezel);
        let corner = 5.0f32.min(half_width);
        let beyond = |at: f32, half: f32| (at.abs() - (half - corner)).max(0.0);
        let (du, dv) = (beyond(u, half_width), beyond(v - (display.top + display.height / 2.0), half_height));
        if du * du + dv * dv > corner * corner {
            return None;
        }
        let bent = self.cracks.as_ref().map(|cracks| cracks.at(u, v));
        let (shown_u, shown_v) = bent.map_or((u, v), |bent| (u + bent.du, v + bent.dv));
        let shown = match self.page.light_at(shown_u, shown_v) {
            Some(light) => light * self.brightness * flicker,
            None => self.bezel_light,
        };
        let light = bent.map_or(shown, |bent| shown * bent.through + bent.added);
        Some(light + self.glass.at(u, v))
    }
}

impl Scene {
    /// The light at `samples` samples a pixel and direction.
    pub fn light(&self, samples: usize) -> Light {
        let (width, height) = (self.size.0 * samples, self.size.1 * samples);
        let seen: Vec<Seen<'_>> = self.phones.iter().filter_map(|phone| phone.seen(self.size)).collect();
        let step = 1.0 / samples as f32;
        let mut values = vec![0.0; width * height];
        let mut behind = vec![0.0; self.size.0];
        for (row, out) in values.chunks_exact_mut(width).enumerate() {
            let true_y = (row as f32 + 0.5) * step;
            let (dx, dy) = self.shutter.offset(true_y, self.size.1 as f32);
            let flicker = self.shutter.light(true_y, self.size.1 as f32);
            let y = true_y - dy;
            if row % samples == 0 {
                behind.iter_mut().enumerate().for_each(|(x, light)| *light = self.backdrop.light_at(x as f32 - dx, y));
            }
            let here: Vec<&Seen<'_>> = seen.iter().filter(|one| one.bounds[1] <= y && y <= one.bounds[3]).collect();
            for (column, out) in out.iter_mut().enumerate() {
                let x = (column as f32 + 0.5) * step - dx;
                let mut near = here.iter().filter(|one| one.bounds[0] <= x && x <= one.bounds[2]);
                let light = near.find_map(|one| {
                    let (u, v) = one.projection.to_phone(x, y);
                    one.phone.light_at(u, v, flicker)
                });
                *out = light.unwrap_or(behind[column / samples]);
            }
        }
        Light { width, height, values }
    }
}
