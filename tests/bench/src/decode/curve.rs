//! The read rate against pixels a module, of every decoder, as an SVG picture.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::board::Board;
use crate::gate_frames::LADDER_PX;

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 470.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 150.0;
const TOP: f64 = 48.0;
const BOTTOM: f64 = 62.0;
/// Colours that stay apart for colour-blind readers too; dashes and marks tell them apart without any.
const STYLES: [(&str, &str); 6] = [
    ("#0072b2", ""),
    ("#d55e00", ""),
    ("#e69f00", "6 3"),
    ("#009e73", "2 3"),
    ("#cc79a7", "8 3 2 3"),
    ("#555555", "4 4"),
];

/// One decoder's line: rates in the order of the ladder.
struct Line {
    name: &'static str,
    rates: Vec<f64>,
}

/// Draws the axis of distance of `board` into `path`.
pub fn draw(board: &Board, path: &Path) -> Result<()> {
    let rungs: Vec<_> =
        LADDER_PX.iter().map(|px| board.rows().iter().find(|row| row.group == super::rung(*px))).collect();
    ensure!(
        rungs.iter().all(Option::is_some),
        "the curve needs the frames of `distance`: run without --only, or with it"
    );
    // Told how many codes there are, a decoder is quicker and reads the same.
    let named = board.names().iter().enumerate().filter(|(_, name)| !name.ends_with("/n"));
    let lines = named.map(|(which, name)| Line {
        name,
        rates: rungs.iter().flatten().map(|row| row.read[which] as f64 / row.codes.max(1) as f64).collect(),
    });
    let codes = rungs.iter().flatten().map(|row| row.codes).next().unwrap_or(0);
    fs::write(path, svg(&lines.collect::<Vec<_>>(), codes)).with_context(|| format!("cannot write {}", path.display()))
}

/// Where a module of this many pixels is: far ones, where decoders differ, get most of the room.
fn x_of(px: f32) -> f64 {
    let (least, most) = (f64::from(LADDER_PX[LADDER_PX.len() - 1]).ln(), f64::from(LADDER_PX[0]).ln());
    LEFT + (f64::from(px).ln() - least) / (most - least) * (WIDTH - LEFT - RIGHT)
}

fn y_of(rate: f64) -> f64 {
    HEIGHT - BOTTOM - rate * (HEIGHT - TOP - BOTTOM)
}

fn svg(lines: &[Line], codes: usize) -> String {
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"13\" fill=\"#222\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
    );
    let mut add = |text: String| {
        out.push_str(&text);
        out.push('\n');
    };
    add(format!(
        "<text x=\"{LEFT}\" y=\"24\" font-size=\"15\" font-weight=\"bold\">Codes read at a distance ({codes} synthetic gate frames a point)</text>"
    ));
    for percent in (0..=100).step_by(20) {
        let y = y_of(f64::from(percent) / 100.0);
        let right = WIDTH - RIGHT;
        add(format!("<path d=\"M{LEFT} {y:.1}H{right}\" stroke=\"#ddd\"/>"));
        add(format!("<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{percent} %</text>", LEFT - 8.0, y + 4.5));
    }
    for px in LADDER_PX {
        let (x, bottom) = (x_of(px), HEIGHT - BOTTOM);
        add(format!("<path d=\"M{x:.1} {TOP}V{bottom}\" stroke=\"#eee\"/>"));
        add(format!("<text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{px}</text>", bottom + 18.0));
    }
    add(format!(
        "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">pixels a module</text>",
        (LEFT + WIDTH - RIGHT) / 2.0,
        HEIGHT - 16.0
    ));
    // Turnstone, the first, is drawn last and so on top.
    for (at, line) in lines.iter().enumerate().rev() {
        let (colour, dash) = STYLES[at % STYLES.len()];
        let points: Vec<(f64, f64)> =
            LADDER_PX.iter().zip(&line.rates).map(|(px, rate)| (x_of(*px), y_of(*rate))).collect();
        let path: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let width = if at == 0 { 3.0 } else { 1.8 };
        add(format!(
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"{width}\" stroke-dasharray=\"{dash}\"/>",
            path.join(" ")
        ));
        for (x, y) in points {
            add(format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{}\" fill=\"{colour}\"/>", width + 0.6));
        }
    }
    for (at, line) in lines.iter().enumerate() {
        let (colour, dash) = STYLES[at % STYLES.len()];
        let (x, y) = (WIDTH - RIGHT + 16.0, TOP + 16.0 + at as f64 * 24.0);
        add(format!(
            "<path d=\"M{x} {y}h28\" stroke=\"{colour}\" stroke-width=\"{}\" stroke-dasharray=\"{dash}\"/>",
            if at == 0 { 3.0 } else { 1.8 }
        ));
        let weight = if at == 0 { "bold" } else { "normal" };
        add(format!("<text x=\"{}\" y=\"{}\" font-weight=\"{weight}\">{}</text>", x + 36.0, y + 4.5, line.name));
    }
    out.push_str("</svg>\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_decoder_has_its_line_and_its_name() {
        let rates = vec![0.5; LADDER_PX.len()];
        let lines = [Line { name: "one", rates: rates.clone() }, Line { name: "other", rates }];
        let svg = svg(&lines, 20);
        assert_eq!(svg.matches("<polyline").count(), 2);
        assert!(svg.contains(">one</text>") && svg.contains(">other</text>") && svg.ends_with("</svg>\n"));
    }

    #[test]
    fn nearer_is_to_the_right_and_more_is_higher() {
        assert!(x_of(1.4) < x_of(2.0) && x_of(2.0) < x_of(6.0));
        assert!(y_of(1.0) < y_of(0.0));
    }
}
