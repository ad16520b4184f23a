//! How a guest shows a code at a gate, and the frame that the camera makes of it.
//!
//! A view says everything that makes a frame hard. Its seed adds what no frame is without: a place off the middle, a
//! background and noise.

use std::fmt;

use super::held::QUIET_MODULES;
use super::held::{self, Held, Pinhole};
use super::optics::Light;
use super::prop::Prop;
use super::random::Random;
use super::{PaintError, Picture, symbol};

/// From here on a view is hard by its tilt, blur (deviation or radius), smear or glare (radius, light at its middle).
const HARD_TILT_DEG: f32 = 25.0;
const HARD_GAUSSIAN_MODULES: f32 = 0.4;
const HARD_DEFOCUS_MODULES: f32 = 0.7;
const HARD_SMEAR_MODULES: f32 = 0.8;
const HARD_GLARE_MODULES: f32 = 2.5;
const HARD_GLARE_LIGHT: f32 = 2.0;
/// From here on a view is worth the name.
const TURNED_DEG: f32 = 5.0;
const FAR_SHARE: f32 = 0.5;
const FAINT_VEIL: f32 = 0.15;
const DIM_SHARE: f32 = 0.5;
const NOISY: f32 = 0.05;

/// Out of focus, measured in modules.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Blur {
    /// As a soft lens blurs; its deviation.
    Gaussian { modules: f32 },
    /// As a lens that is not in focus blurs; the disc's radius.
    Defocus { modules: f32 },
}

/// Moved while the shutter was open.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Smear {
    pub modules: f32,
    /// Clockwise from the picture's right.
    pub direction_deg: f32,
}

/// A lamp, or the sun, mirrored in what is shown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Glare {
    /// Its middle, in modules from the code's.
    pub at: (f32, f32),
    /// Where its light has fallen to a third.
    pub radius_modules: f32,
    /// In its middle; 1 is white already.
    pub light: f32,
}

/// How a code is shown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct View {
    /// The code's side with its quiet zone, as a share of the frame's height.
    pub share: f32,
    pub rotation_deg: f32,
    pub tilt_deg: f32,
    /// Clockwise from the code's upright axis.
    pub tilt_axis_deg: f32,
    /// Light on dark.
    pub inverted: bool,
    /// Brightness of screen or paper, as a share of full.
    pub brightness: f32,
    /// Daylight over all of it, which takes its contrast.
    pub veil: f32,
    pub blur: Blur,
    pub smear: Option<Smear>,
    pub glare: Option<Glare>,
    /// The sensor's, deviation at white.
    pub noise: f32,
}

/// A code held still and straight into the light, as one hopes for.
pub const PLAIN: View = View {
    share: 0.75,
    rotation_deg: 2.0,
    tilt_deg: 4.0,
    tilt_axis_deg: 30.0,
    inverted: false,
    brightness: 1.0,
    veil: 0.0,
    blur: Blur::Gaussian { modules: 0.1 },
    smear: None,
    glare: None,
    noise: 0.02,
};

/// The views of a lane's frames, in turn. Most are hard, one way or several; the others are what a good evening has.
#[rustfmt::skip]
const VIEWS: [View; 16] = [
    PLAIN,
    View { tilt_deg: 40.0, tilt_axis_deg: 15.0, glare: lamp(6.0, 3.0, 3.0), ..PLAIN },
    View { rotation_deg: 15.0, ..PLAIN },
    View { blur: Blur::Gaussian { modules: 0.55 }, rotation_deg: -8.0, ..PLAIN },
    View { inverted: true, tilt_deg: 35.0, tilt_axis_deg: 80.0, brightness: 0.7, ..PLAIN },
    View { glare: lamp(-4.0, 5.0, 3.2), rotation_deg: 6.0, ..PLAIN },
    View { share: 0.5, rotation_deg: -20.0, ..PLAIN },
    View { smear: moved(1.1, 20.0), noise: 0.06, ..PLAIN },
    View { tilt_deg: 50.0, tilt_axis_deg: 45.0, ..PLAIN },
    View { blur: Blur::Defocus { modules: 0.8 }, rotation_deg: 7.0, ..PLAIN },
    View { rotation_deg: 95.0, brightness: 0.5, ..PLAIN },
    View { tilt_deg: 30.0, tilt_axis_deg: -60.0, blur: Blur::Gaussian { modules: 0.42 }, ..PLAIN },
    View { inverted: true, glare: lamp(5.0, -4.0, 2.8), ..PLAIN },
    View { veil: 0.3, brightness: 0.4, noise: 0.05, ..PLAIN },
    View { tilt_deg: 45.0, tilt_axis_deg: 135.0, smear: moved(0.8, 70.0), share: 0.7, ..PLAIN },
    View { rotation_deg: -30.0, veil: 0.2, brightness: 0.6, blur: Blur::Defocus { modules: 0.75 }, ..PLAIN },
];

const fn lamp(x: f32, y: f32, radius_modules: f32) -> Option<Glare> {
    Some(Glare { at: (x, y), radius_modules, light: 5.0 })
}

const fn moved(modules: f32, direction_deg: f32) -> Option<Smear> {
    Some(Smear { modules, direction_deg })
}

impl View {
    /// The view of a lane's frame, counted from 0: the first is plain, then nearly two of three are hard.
    pub fn nth(frame: usize) -> View {
        VIEWS[frame % VIEWS.len()]
    }

    /// Tilted, blurred or glaring so much that a decoder must work for it.
    pub fn is_hard(&self) -> bool {
        self.tilt_deg >= HARD_TILT_DEG || self.is_blurred() || self.is_smeared() || self.is_glaring()
    }

    fn is_blurred(&self) -> bool {
        match self.blur {
            Blur::Gaussian { modules } => modules >= HARD_GAUSSIAN_MODULES,
            Blur::Defocus { modules } => modules >= HARD_DEFOCUS_MODULES,
        }
    }

    fn is_smeared(&self) -> bool {
        self.smear.is_some_and(|smear| smear.modules >= HARD_SMEAR_MODULES)
    }

    fn is_glaring(&self) -> bool {
        self.glare.is_some_and(|glare| glare.radius_modules >= HARD_GLARE_MODULES && glare.light >= HARD_GLARE_LIGHT)
    }

    /// The frame that a camera of this size makes of it.
    pub fn paint(&self, text: &str, width: usize, height: usize, seed: u64) -> Result<Picture, PaintError> {
        let code = symbol(text)?;
        let mut random = Random(seed);
        let modules = code.size() as f32 + 2.0 * QUIET_MODULES;
        let module_px = self.share * height as f32 / modules;
        let mut held = Held::in_the_middle(width, height, module_px);
        let spare = (1.0 - self.share) * height as f32 / 4.0;
        held.centre.0 += random.between(-spare, spare);
        held.centre.1 += random.between(-spare, spare);
        held.rotation_deg = self.rotation_deg;
        held.tilt_deg = self.tilt_deg;
        held.tilt_axis_deg = self.tilt_axis_deg;
        let prop = Prop::of(text, &code, self.inverted);
        let pinhole = Pinhole::new(&held, code.size());
        let hall = Hall::new(&mut random);
        let mut amounts = Vec::with_capacity(width * height);
        for y in 0..height {
            for x in 0..width {
                let behind = hall.light(x as f32 / width as f32, y as f32 / height as f32);
                let seen = held::samples(x, y).map(|(px, py)| {
                    let on_prop = pinhole.onto_plane(px, py).and_then(|(u, v)| Some((u, v, prop.light(u, v)?)));
                    on_prop.map_or(behind, |(u, v, light)| light * self.brightness + self.veil + self.mirrored(u, v))
                });
                let count = seen.len() as f32;
                amounts.push(seen.sum::<f32>() / count);
            }
        }
        let mut light = Light { width, height, amounts };
        if let Some(smear) = self.smear {
            light = light.smeared(smear, module_px);
        }
        Ok(light.blurred(self.blur, module_px).developed(self.noise, &mut random))
    }

    /// Light of the lamp at a place, in modules from the code's middle.
    fn mirrored(&self, x: f32, y: f32) -> f32 {
        self.glare.map_or(0.0, |glare| {
            let away = (x - glare.at.0).hypot(y - glare.at.1) / glare.radius_modules;
            glare.light * (-away * away).exp()
        })
    }
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words = Vec::new();
        if self.tilt_deg >= TURNED_DEG {
            words.push(format!("tilted {}\u{b0}", self.tilt_deg));
        }
        if self.rotation_deg.abs() >= TURNED_DEG {
            words.push(format!("turned {}\u{b0}", self.rotation_deg));
        }
        let plain_words = [
            (self.is_blurred(), "blurred"),
            (self.is_smeared(), "moving"),
            (self.is_glaring(), "glare"),
            (self.inverted, "dark mode"),
            (self.veil >= FAINT_VEIL, "faint"),
            (self.veil < FAINT_VEIL && self.brightness <= DIM_SHARE, "dim"),
            (self.noise >= NOISY, "noisy"),
            (self.share <= FAR_SHARE, "far off"),
        ];
        words.extend(plain_words.iter().filter(|(is_so, _)| *is_so).map(|(_, word)| (*word).to_owned()));
        f.write_str(&if words.is_empty() { "plain".to_owned() } else { words.join(", ") })
    }
}

/// What is behind: a hall out of focus, some of it lit.
struct Hall {
    lights: [f32; Hall::COLUMNS * Hall::ROWS],
}

impl Hall {
    const COLUMNS: usize = 7;
    const ROWS: usize = 6;

    fn new(random: &mut Random) -> Hall {
        let level = random.between(0.05, 0.25);
        let mut lights = [0.0; Hall::COLUMNS * Hall::ROWS];
        for light in &mut lights {
            *light = level * random.between(0.2, 2.0);
        }
        Hall { lights }
    }

    /// At shares of the picture's width and height.
    fn light(&self, x: f32, y: f32) -> f32 {
        let (x, y) = (x * (Hall::COLUMNS - 1) as f32, y * (Hall::ROWS - 1) as f32);
        let (column, row) = ((x as usize).min(Hall::COLUMNS - 2), (y as usize).min(Hall::ROWS - 2));
        let smooth = |t: f32| t * t * (3.0 - 2.0 * t);
        let (right, down) = (smooth(x - column as f32), smooth(y - row as f32));
        let at = |column: usize, row: usize| self.lights[row * Hall::COLUMNS + column];
        let top = at(column, row) * (1.0 - right) + at(column + 1, row) * right;
        let bottom = at(column, row + 1) * (1.0 - right) + at(column + 1, row + 1) * right;
        top * (1.0 - down) + bottom * down
    }
}

#[cfg(test)]
mod tests {
    use scanner_app::core::decode::decode;
    use scanner_app::core::decode::luma::to_luma;
    use scanner_app::core::decode::raw::PixelFormat;

    use super::*;

    const SIZE: (usize, usize) = (640, 480);

    fn code(random: &mut Random, prefix: &str, length: usize) -> String {
        const SET: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";
        let mut text = String::from(prefix);
        text.extend((0..length).map(|_| char::from(SET[(random.next_u64() % SET.len() as u64) as usize])));
        text
    }

    #[test]
    fn every_view_of_every_kind_of_code_reads_back() {
        let mut random = Random(11);
        let texts = [
            code(&mut random, "T1S", 119),
            code(&mut random, "T1F", 290),
            code(&mut random, "T1P", 180),
            "https://restaurant.example/menu?table=7".to_owned(),
        ];
        let mut formats = PixelFormat::ALL.iter().cycle();
        for view in VIEWS {
            for text in &texts {
                let picture = view.paint(text, SIZE.0, SIZE.1, random.next_u64()).unwrap();
                let format = *formats.next().unwrap();
                let frame = picture.encode(format, 0, 0).unwrap();
                let decoded = decode(&to_luma(&frame).unwrap().view(), &mut || false);
                let read: Vec<_> = decoded.codes.iter().map(|code| String::from_utf8_lossy(&code.text)).collect();
                assert_eq!(read, [text.as_str()], "{view}, {format:?}");
            }
        }
    }

    #[test]
    fn hard_is_most_and_is_said() {
        let hard = VIEWS.iter().filter(|view| view.is_hard()).count();
        assert!(hard * 2 > VIEWS.len(), "{hard} of {}", VIEWS.len());
        assert!(!PLAIN.is_hard());
        assert_eq!(PLAIN.to_string(), "plain");
        for view in VIEWS.iter().filter(|view| view.is_hard()) {
            let said = view.to_string();
            assert!(["tilted", "blurred", "moving", "glare"].iter().any(|word| said.contains(word)), "{said}");
        }
        assert_eq!(View::nth(1).to_string(), "tilted 40\u{b0}, glare");
        assert_eq!(View::nth(1), View::nth(1 + VIEWS.len()));
    }

    #[test]
    fn a_glaring_view_has_lost_modules_to_white() {
        let text = code(&mut Random(3), "T1S", 119);
        for view in VIEWS.iter().filter(|view| view.is_glaring()) {
            let white = |view: &View| {
                let picture = view.paint(&text, SIZE.0, SIZE.1, 1).unwrap();
                picture.luma.iter().filter(|&&luma| luma == 255).count()
            };
            // At eight pixels a module: more than fifteen modules, of which about half were dark.
            let lost = white(view) - white(&View { glare: None, ..*view });
            assert!(lost > 15 * 64, "{view}: {lost}");
        }
    }

    #[test]
    fn a_blurred_view_has_lost_its_edges() {
        let text = code(&mut Random(4), "T1S", 119);
        let sharpest = |view: &View| {
            // Without noise, the steepest step within the code, which fills the middle of the picture.
            let picture = View { noise: 0.0, ..*view }.paint(&text, SIZE.0, SIZE.1, 1).unwrap();
            let rows = picture.luma.chunks_exact(SIZE.0).skip(180).take(120);
            rows.flat_map(|row| row[260..380].windows(2)).map(|pair| pair[0].abs_diff(pair[1])).max().unwrap()
        };
        let plain = sharpest(&PLAIN);
        for view in VIEWS.iter().filter(|view| view.is_blurred()) {
            assert!(sharpest(view) < plain / 2, "{view}: {} of {plain}", sharpest(view));
        }
    }

    #[test]
    fn the_same_seed_paints_the_same_view() {
        let paint = |seed| View::nth(1).paint("T1S", 160, 120, seed).unwrap().luma;
        assert_eq!(paint(5), paint(5));
        assert_ne!(paint(5), paint(6));
    }
}
