//! What the phone shows: the ticket page with its code, as light in dots of the display.
//!
//! Lengths are in modules of the code, with the code's middle at the origin; light is linear, 1 for full white.

use qrcodegen::QrCode;

use super::dice::Dice;

/// How a ticket page looks.
#[derive(Clone, Debug)]
pub struct PageLook {
    /// Dots of the display along a module.
    pub dots_per_module: usize,
    /// Whether a dot is drawn as its three stripes with dark between them, which the sensor's own grid beats with.
    pub stripes: bool,
    /// A dark page around the white card.
    pub dark_page: bool,
    /// Light modules on a dark card.
    pub inverted: bool,
    /// Margin of the card's colour around the symbol.
    pub quiet_modules: f32,
    /// Light of the symbol's light and dark modules.
    pub light: f32,
    pub dark: f32,
}

impl PageLook {
    pub fn plain(dots_per_module: usize) -> PageLook {
        PageLook {
            dots_per_module,
            stripes: false,
            dark_page: false,
            inverted: false,
            quiet_modules: 4.0,
            light: 1.0,
            dark: 0.006,
        }
    }
}

/// Half the display's size, in modules, and where it lies about the code.
#[derive(Clone, Copy, Debug)]
pub struct Display {
    pub left: f32,
    pub top: f32,
    pub width: f32,
    pub height: f32,
}

impl Display {
    /// A tall phone's display around a symbol of this many modules a side.
    pub fn around(modules: usize, quiet_modules: f32, dice: &mut Dice) -> Display {
        let width = (modules as f32 + 2.0 * quiet_modules) * dice.between(1.08, 1.22);
        let height = width * dice.between(1.95, 2.2);
        Display { left: -width / 2.0, top: -height * dice.between(0.38, 0.5), width, height }
    }
}

/// A drawn page.
pub struct Page {
    pub display: Display,
    dots: f32,
    stripes: bool,
    columns: usize,
    rows: usize,
    light: Vec<f32>,
}

impl Page {
    pub fn draw(symbol: &QrCode, look: &PageLook, display: Display, dice: &mut Dice) -> Page {
        let dots = look.dots_per_module as f32;
        let (columns, rows) = ((display.width * dots) as usize, (display.height * dots) as usize);
        let mut page = Page { display, dots, stripes: look.stripes, columns, rows, light: vec![0.0; columns * rows] };
        let (paper, ink) = if look.dark_page || look.inverted { (0.012, 0.55) } else { (0.86, 0.02) };
        page.fill(display.left, display.top, display.width, display.height, 0.0, paper);
        let half = symbol.size() as f32 / 2.0;
        let card = half + look.quiet_modules;
        let (back, front) = if look.inverted { (look.dark, look.light) } else { (look.light, look.dark) };
        page.words(card, paper, ink, dice);
        page.fill(-card, -card, 2.0 * card, 2.0 * card, 2.0f32.min(look.quiet_modules), back);
        for row in 0..symbol.size() {
            for column in 0..symbol.size() {
                if symbol.get_module(column, row) {
                    page.fill(column as f32 - half, row as f32 - half, 1.0, 1.0, 0.0, front);
                }
            }
        }
        page
    }

    /// The status line, the event's name above the card, and seat, hint and button below it: bars in place of letters.
    fn words(&mut self, card: f32, paper: f32, ink: f32, dice: &mut Dice) {
        let Display { left, top, width, height } = self.display;
        let faint = paper + (ink - paper) * 0.5;
        self.fill(left + 4.0, top + 1.5, 5.0, 1.2, 0.4, ink);
        self.fill(left + width - 8.0, top + 1.5, 4.5, 1.2, 0.4, ink);
        self.line_of_words(left + 4.0, -card - 6.5, width * dice.between(0.4, 0.75), 2.4, ink, dice);
        self.line_of_words(left + 4.0, -card - 3.0, width * dice.between(0.3, 0.6), 1.3, faint, dice);
        let bottom = top + height;
        let mut y = card + 2.5;
        for at in 0..dice.index(4) + 2 {
            let tall = if at == 0 { 2.2 } else { 1.3 };
            if y + tall < bottom - 9.0 {
                self.line_of_words(left + 4.0, y, width * dice.between(0.3, 0.8), tall, ink, dice);
            }
            y += tall + 1.6;
        }
        // How long the code still counts, and a button.
        self.fill(-card, card + 0.6, 2.0 * card * dice.between(0.1, 0.95), 0.7, 0.3, 0.2);
        self.fill(left + 6.0, bottom - 8.0, width - 12.0, 4.5, 1.5, dice.between(0.08, 0.4));
    }

    fn line_of_words(&mut self, left: f32, top: f32, length: f32, tall: f32, ink: f32, dice: &mut Dice) {
        let mut x = left;
        while x < left + length {
            let letter = tall * dice.between(0.25, 0.6);
            self.fill(x, top + tall * dice.between(0.0, 0.3), letter, tall * dice.between(0.5, 0.8), 0.1, ink);
            x += letter + tall * if dice.chance(0.15) { 0.7 } else { 0.15 };
        }
    }

    /// Fills a rectangle with rounded corners; what lies off the display is left out.
    fn fill(&mut self, left: f32, top: f32, width: f32, height: f32, corner: f32, light: f32) {
        let to_column = |x: f32| ((x - self.display.left) * self.dots).round().clamp(0.0, self.columns as f32) as usize;
        let to_row = |y: f32| ((y - self.display.top) * self.dots).round().clamp(0.0, self.rows as f32) as usize;
        let (first, last) = (to_column(left), to_column(left + width));
        let (upper, lower) = (to_row(top), to_row(top + height));
        let corner = (corner * self.dots).min((last - first) as f32 / 2.0).min((lower - upper) as f32 / 2.0);
        for row in upper..lower {
            let from_edge = ((row - upper) as f32 + 0.5).min((lower - row) as f32 - 0.5);
            let cut = (corner - from_edge).max(0.0);
            let inset = (corner - (corner * corner - cut * cut).max(0.0).sqrt()).round() as usize;
            let start = row * self.columns;
            if first + inset < last.saturating_sub(inset) {
                self.light[start + first + inset..start + last - inset].fill(light);
            }
        }
    }

    /// The light that leaves the display here; `None` beside it.
    pub fn light_at(&self, u: f32, v: f32) -> Option<f32> {
        let (x, y) = ((u - self.display.left) * self.dots, (v - self.display.top) * self.dots);
        if x < 0.0 || y < 0.0 || x >= self.columns as f32 || y >= self.rows as f32 {
            return None;
        }
        let (column, row) = (x as usize, y as usize);
        let light = self.light[row * self.columns + column];
        if !self.stripes {
            return Some(light);
        }
        Some(light * stripe(x - column as f32, y - row as f32))
    }
}

/// Light within a white dot, by where in it: red, green and blue stripes as luma weighs them, with dark around each; its
/// mean is 1.
fn stripe(x: f32, y: f32) -> f32 {
    const LUMA: [f32; 3] = [0.30, 0.59, 0.11];
    const LIT_ACROSS: f32 = 0.8;
    const LIT_ALONG: f32 = 0.85;
    let third = (x * 3.0).min(2.999);
    let within = third - third.floor();
    if within > LIT_ACROSS || y > LIT_ALONG {
        return 0.0;
    }
    LUMA[third as usize] * 3.0 / (LIT_ACROSS * LIT_ALONG)
}
