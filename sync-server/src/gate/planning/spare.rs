//! Which lanes can stay shut: how many fewer would keep every promise.

use super::lanes::{fewest, taken_at};
use super::model::Lane;
use super::score::Score;

/// Indices of lanes that can all stay shut with every promise kept that `score`, which is that of `lanes`, keeps: as
/// many at each entrance as at the others, then what one entrance alone can spare besides.
pub(super) fn spare(
    lanes: &[Lane],
    score: &Score,
    may_spare: impl Fn(usize) -> bool,
    score_of: impl Fn(&[Lane]) -> Score,
) -> Vec<usize> {
    let kept: Vec<usize> = (0..score.entrances()).filter(|entrance| score.is_met_at(*entrance)).collect();
    let breaks = |shut: &[usize]| {
        let open = lanes.iter().enumerate().filter(|(at, _)| !shut.contains(at)).map(|(_, lane)| lane.clone());
        let left = score_of(&open.collect::<Vec<_>>());
        kept.iter().any(|entrance| !left.is_met_at(*entrance))
    };
    let candidates: Vec<Vec<usize>> =
        kept.iter().copied().filter(|entrance| may_spare(*entrance)).map(|at| candidates(lanes, at)).collect();
    let longest = candidates.iter().map(Vec::len).max().unwrap_or(0);
    let in_turn = (0..longest).flat_map(|turn| candidates.iter().filter_map(move |own| own.get(turn).copied()));
    let mut shut = shut_most(&[], &in_turn.collect::<Vec<_>>(), breaks);
    for own in &candidates {
        let left: Vec<usize> = own.iter().copied().filter(|at| !shut.contains(at)).collect();
        shut = shut_most(&shut, &left, breaks);
    }
    shut
}

/// `shut` and as many of the candidates, in their order, as break nothing.
fn shut_most(shut: &[usize], candidates: &[usize], breaks: impl Fn(&[usize]) -> bool) -> Vec<usize> {
    let with = |count: u32| [shut, &candidates[..count as usize]].concat();
    let most = u32::try_from(candidates.len()).unwrap_or(u32::MAX);
    with(fewest(most, |count| breaks(&with(count))).map_or(most, |count| count.saturating_sub(1)))
}

/// The entrance's lanes without which each class still has one there, the last ones first.
fn candidates(lanes: &[Lane], entrance: usize) -> Vec<usize> {
    let takes = taken_at(lanes, entrance);
    let mut rest: Vec<usize> = (0..lanes.len()).collect();
    let mut candidates = Vec::new();
    for at in (0..lanes.len()).rev().filter(|at| lanes[*at].entrance == entrance) {
        let without: Vec<usize> = rest.iter().copied().filter(|other| *other != at).collect();
        let left: Vec<Lane> = without.iter().map(|at| lanes[*at].clone()).collect();
        if taken_at(&left, entrance) == takes {
            candidates.push(at);
            rest = without;
        }
    }
    candidates
}
