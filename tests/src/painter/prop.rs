//! What a code is shown on: a phone that shows a ticket page, or a sheet of paper.

use qrcodegen::QrCode;

use super::held::QUIET_MODULES;

/// Light that comes back from black glass, black ink, white paper and a bright screen.
const BLACK_GLASS: f32 = 0.03;
const BLACK_INK: f32 = 0.06;
const WHITE_PAPER: f32 = 0.7;
const WHITE_SCREEN: f32 = 0.85;
const BEZEL: f32 = 0.015;

/// A thing with a code on it, the code's middle at (0, 0).
pub(super) struct Prop<'a> {
    code: &'a QrCode,
    /// Half the code's side with its quiet zone.
    reach: f32,
    paper: bool,
    inverted: bool,
}

impl<'a> Prop<'a> {
    /// Short and full codes are on phones; everything else is on paper.
    pub(super) fn of(text: &str, code: &'a QrCode, inverted: bool) -> Prop<'a> {
        let paper = !text.starts_with("T1S") && !text.starts_with("T1F");
        Prop { code, reach: code.size() as f32 / 2.0 + QUIET_MODULES, paper, inverted }
    }

    /// Light from a place on it, in modules from the code's middle. Nothing beside it.
    pub(super) fn light(&self, x: f32, y: f32) -> Option<f32> {
        // Places from here on in reaches: (1, 1) is the corner of the quiet zone.
        let (along, down) = (x / self.reach, y / self.reach);
        let (side, top, bottom, round) = if self.paper { (1.25, -1.7, 1.35, 0.0) } else { (1.22, -1.75, 2.3, 0.2) };
        // Beyond the corner's round, in both directions.
        let over = (along.abs() - side + round, (top + round - down).max(down - bottom + round));
        if over.0.max(0.0).hypot(over.1.max(0.0)) > round {
            return None;
        }
        let bezel = 0.08;
        if !self.paper && (over.0 > round - bezel || over.1 > round - bezel) {
            return Some(BEZEL);
        }
        let dark = if along.abs() <= 1.0 && down.abs() <= 1.0 {
            let half = self.code.size() as f32 / 2.0;
            self.code.get_module((x + half).floor() as i32, (y + half).floor() as i32)
        } else {
            is_lettering(along, down)
        };
        let (black, white) = if self.paper { (BLACK_INK, WHITE_PAPER) } else { (BLACK_GLASS, WHITE_SCREEN) };
        Some(if dark == self.inverted { white } else { black })
    }
}

/// Two lines above the code and one below, in strokes that look like letters from where the camera is.
fn is_lettering(along: f32, down: f32) -> bool {
    let lines = [(-1.45, 0.16, 0.75), (-1.2, 0.09, 0.5), (1.1, 0.1, 0.4)];
    lines.iter().any(|&(top, height, half_width)| {
        let stroke = (along / height * 3.0).floor() as i32;
        let row = ((down - top) / height * 3.0).floor() as i32;
        along.abs() < half_width && (0..3).contains(&row) && (stroke * 7 + row * (stroke % 3)).rem_euclid(5) < 2
    })
}
