//! For the second frame of a session and all that follow: a code goes on as it moved. Only small windows about its three
//! finders are searched, at the size and with the threshold that read it last; its size is known, and where its far corner
//! must be, too.
//!
//! Buys no code; it saves most of a frame's cost (docs/decode.md).

use std::rc::Rc;

use super::super::Track;
use super::super::corner::Corner;
use super::super::explain::{LookView, Stage};
use super::super::finder::{self, Finder};
use super::super::grid::{self, Expected, Grid};
use super::super::meter::Stop;
use super::super::picture::{Picture, Point, Shades};
use super::super::reading;
use super::{Look, Pass, Place, ROW_STEP, Search};

/// How far a code may leave the way that it went, in modules: a hand that trembles, or turns back.
const REACH: f32 = 3.5;
/// A finder with its margin, from its middle, in modules.
const FINDER_RADIUS: f32 = 4.5;

impl Search<'_, '_> {
    /// Looks where the last frame's codes must be by now; true when each of them is read again.
    pub(super) fn tracked(&mut self) -> Result<bool, Stop> {
        let mut all = !self.before.is_empty();
        for at in 0..self.before.len() {
            all &= self.follow(self.before[at])?;
        }
        if !all {
            self.looks.clear();
        }
        Ok(all)
    }

    /// Whether a code is read again.
    fn follow(&mut self, track: Track) -> Result<bool, Stop> {
        let square = track.square.map(|(x, y)| (x + track.moved.0, y + track.moved.1));
        let Some((picture, place)) = self.surroundings(&square, &track)? else { return Ok(false) };
        let in_picture = |(x, y): (f32, f32)| Point::new((x - place.left) / place.scale, (y - place.top) / place.scale);
        let [top_left, top_right, far, bottom_left] = square.map(in_picture);
        let radius = (FINDER_RADIUS + REACH) * track.module_px / place.scale;

        let mut threshold = Picture { width: picture.width, height: picture.height, pixels: Vec::new() };
        let mut finders = Vec::with_capacity(3);
        for expected in [top_left, top_right, bottom_left] {
            let Some((window, left, top)) = picture.about(expected, radius) else { return Ok(false) };
            let halfway = window.halfway(&mut self.meter)?;
            let mut found = finder::find(&Shades { picture: &window, threshold: &halfway }, ROW_STEP, &mut self.meter)?;
            found.iter_mut().for_each(|f| f.centre = Point::new(f.centre.x + left as f32, f.centre.y + top as f32));
            found.retain(|finder| !self.is_read(place.in_frame(finder.centre)));
            let distance = |f: &Finder| f.centre.distance(expected);
            let Some(finder) = found.into_iter().min_by(|a, b| distance(a).total_cmp(&distance(b))) else {
                return Ok(false);
            };
            finders.push(finder);
            threshold.paste(&halfway, left, top);
        }
        (self.watch)(Stage::Look(LookView {
            pass: Pass::Tracked,
            picture: &picture,
            threshold: &threshold,
            finders: &finders,
        }));
        let look = Rc::new(Look { picture: Rc::clone(&picture), threshold, place, method: track.method, finders });
        self.looks.push(Rc::clone(&look));

        // The far corner moved as the others did.
        let [a, b, c] = [0, 1, 2].map(|i| look.finders[i].centre);
        let moved = |from: Point, to: Point| Point::new(to.x - from.x, to.y - from.y);
        let (da, db, dc) = (moved(top_left, a), moved(top_right, b), moved(bottom_left, c));
        let far = Point::new(far.x + db.x + dc.x - da.x, far.y + db.y + dc.y - da.y);
        let corner =
            Corner { top_left: 0, top_right: 1, bottom_left: 2, side: track.version.side() as f32, misfit: 0.0 };
        let expected = Expected { version: track.version, far };
        let shades = look.shades();
        let Some(grid) = grid::lay_again(&shades, &look.finders, &corner, &expected, &mut self.meter)? else {
            return Ok(false);
        };
        self.watch_grid(Pass::Tracked, &look, &grid);
        let Some(reading) = reading::read(&shades, &grid, &mut self.meter)? else { return Ok(false) };
        for finder in &look.finders {
            self.read_finders.push((place.in_frame(finder.centre), finder.module * place.scale));
        }
        self.add(Pass::Tracked, &look, reading);
        Ok(true)
    }

    /// The part of the frame about a code, as its track saw it; `None` when it has left the frame.
    fn surroundings(&mut self, square: &[(f32, f32); 4], track: &Track) -> Result<Option<(Rc<Picture>, Place)>, Stop> {
        let reach = (FINDER_RADIUS + REACH) * track.module_px;
        let least = |values: [f32; 4]| (values.into_iter().fold(f32::MAX, f32::min) - reach).max(0.0) as usize;
        let most = |values: [f32; 4], end: usize| {
            ((values.into_iter().fold(f32::MIN, f32::max) + reach).max(0.0) as usize).min(end)
        };
        let (xs, ys) = (square.map(|p| p.0), square.map(|p| p.1));
        let (left, top) = (least(xs), least(ys));
        let (right, bottom) = (most(xs, self.frame.width()), most(ys, self.frame.height()));
        let Some(part) = self.frame.part(left, top, right.saturating_sub(left), bottom.saturating_sub(top)) else {
            return Ok(None);
        };
        let factor = (track.scale.round() as usize).max(1);
        let mut picture = Picture::shrunk(&part, factor, &mut self.meter)?;
        if track.method.inverted {
            picture = picture.inverted(&mut self.meter)?;
        }
        Ok(Some((Rc::new(picture), Place { left: left as f32, top: top as f32, scale: factor as f32 })))
    }
}

impl Track {
    /// The track of a symbol that was read; `before` are the last frame's.
    pub(super) fn new(grid: &Grid, look: &Look, before: &[Track]) -> Track {
        let square = grid.square().map(|p| look.place.in_frame(p));
        let module_px = grid.module_px() * look.place.scale;
        let side = module_px * grid.version.side() as f32;
        let moved = |track: &Track| (square[0].0 - track.square[0].0, square[0].1 - track.square[0].1);
        let distance = |(x, y): &(f32, f32)| x.hypot(*y);
        let same = before.iter().filter(|track| track.version == grid.version).map(moved);
        let nearest = same.min_by(|a, b| distance(a).total_cmp(&distance(b)));
        Track {
            version: grid.version,
            square,
            module_px,
            moved: nearest.filter(|moved| distance(moved) < side).unwrap_or_default(),
            scale: look.place.scale,
            method: look.method,
        }
    }
}
