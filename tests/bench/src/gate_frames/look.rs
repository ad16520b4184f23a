//! All the parameters of one frame, and the drawing of it.

use anyhow::Result;

use super::camera::{Placement, Projection, Shutter};
use super::codes::{self, Kind};
use super::cracks::{CrackLook, Cracks};
use super::dice::Dice;
use super::glass::{Glare, Glass, Reflection};
use super::optics::Optics;
use super::page::{Display, Page, PageLook};
use super::scene::{Backdrop, Hand, Phone, Scene};
use super::sensor::Sensor;

/// How one phone looks.
#[derive(Clone, Debug)]
pub struct PhoneLook {
    pub kind: Kind,
    pub page: PageLook,
    pub placement: Placement,
    pub brightness: f32,
    pub veil: f32,
    pub glare: Option<Glare>,
    /// How strong a second image is.
    pub reflection: f32,
    pub cracks: Option<CrackLook>,
}

/// How one frame looks.
#[derive(Clone, Debug)]
pub struct Look {
    pub size: (usize, usize),
    pub phones: Vec<PhoneLook>,
    /// Light on the backdrop and the hands.
    pub ambient: f32,
    pub shutter: Shutter,
    pub optics: Optics,
    pub sensor: Sensor,
    /// Samples a pixel and direction.
    pub samples: usize,
}

impl Look {
    /// Moves every phone so that its whole code is in view, with `margin` modules around it; tilts it less and less
    /// where no place is left.
    pub fn keep_in_view(&mut self, margin: f32) {
        const TRIES: usize = 24;
        for phone in &mut self.phones {
            for _ in 0..TRIES {
                let (dx, dy, too_large) = overhang(phone, self.size, margin);
                if dx == 0.0 && dy == 0.0 && !too_large {
                    break;
                }
                phone.placement.centre_px.0 += dx;
                phone.placement.centre_px.1 += dy;
                if too_large {
                    phone.placement.yaw *= 0.9;
                    phone.placement.pitch *= 0.9;
                }
            }
        }
    }

    /// Draws what there is to see. The texts are the phones', in order.
    pub fn scene(&self, dice: &mut Dice) -> Result<(Scene, Vec<String>)> {
        let mut texts = Vec::new();
        let mut phones = Vec::new();
        for look in &self.phones {
            let (text, symbol) = codes::draw(look.kind, dice)?;
            texts.push(text);
            let modules = look.kind.modules();
            let display = Display::around(modules, look.page.quiet_modules, dice);
            let page = Page::draw(&symbol, &look.page, display, dice);
            let cracks = look.cracks.as_ref().map(|cracks| Cracks::draw(cracks, display, modules, dice));
            let reflection = (look.reflection > 0.0).then(|| Reflection::draw(look.reflection, modules, dice));
            let card = modules as f32 / 2.0 + look.page.quiet_modules;
            let hand = Hand::draw(&page, card, self.ambient * dice.between(0.25, 0.7), dice);
            phones.push(Phone {
                page,
                placement: look.placement,
                brightness: look.brightness,
                glass: Glass { veil: look.veil, glare: look.glare, reflection },
                cracks,
                hand,
                bezel: dice.between(0.8, 3.0),
                bezel_light: self.ambient * dice.between(0.01, 0.12),
            });
        }
        let backdrop = Backdrop::draw(self.ambient, self.size, dice);
        Ok((Scene { size: self.size, backdrop, phones, shutter: self.shutter }, texts))
    }

    /// What the camera makes of the scene: luma, rows of `size.0` bytes.
    pub fn expose(&self, scene: &Scene, dice: &mut Dice) -> Vec<u8> {
        let light = self.optics.apply(scene.light(self.samples), self.samples);
        self.sensor.expose(&light, dice)
    }
}

/// How far the code must be moved, and whether it is larger than the frame.
fn overhang(phone: &PhoneLook, size: (usize, usize), margin: f32) -> (f32, f32, bool) {
    let half = phone.kind.modules() as f32 / 2.0 + margin;
    let Some(projection) = Projection::of(&phone.placement, size) else { return (0.0, 0.0, true) };
    let corners = [(-half, -half), (half, -half), (half, half), (-half, half)];
    let (mut low, mut high) = ((f32::MAX, f32::MAX), (f32::MIN, f32::MIN));
    for (u, v) in corners {
        let Some((x, y)) = projection.to_frame(u, v) else { return (0.0, 0.0, true) };
        low = (low.0.min(x), low.1.min(y));
        high = (high.0.max(x), high.1.max(y));
    }
    let (width, height) = (size.0 as f32, size.1 as f32);
    let too_large = high.0 - low.0 > width || high.1 - low.1 > height;
    let push = |low: f32, high: f32, limit: f32| {
        if high - low > limit { (limit - low - high) / 2.0 } else { (-low).max(0.0) - (high - limit).max(0.0) }
    };
    (push(low.0, high.0, width), push(low.1, high.1, height), too_large)
}
