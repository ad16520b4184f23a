//! What to change before the evening: classes first, which costs nothing, then longer hours, then more lanes.
//!
//! What is recommended was played on the plan's own evenings and is never worse there than the plan.

use super::arrange::{arrange, pooled};
use super::arrivals::{Guest, evenings};
use super::lanes::{MOST_MORE, fewest, more_like, relief, whole_evening_from_ms};
use super::model::{ClassSet, Lane, NEVER_MS, Plan, ms_to_minutes};
use super::report::{Change, EntranceNeed, Outlook, Recommendation};
use super::score::Score;
use super::spare::spare;
use super::stage::Stage;
use super::tally::Tally;

/// A lane's copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct More {
    entrance: usize,
    /// An index.
    like: usize,
    count: u32,
    open_ms: i64,
}

/// The plan with what has been changed so far.
struct Draft<'a> {
    plan: &'a Plan,
    evenings: Vec<Vec<Guest>>,
    /// The plan's lanes, changed.
    lanes: Vec<Lane>,
    more: Vec<More>,
}

/// What to change so that the wanted wait is kept, with as many lanes as that takes.
#[must_use]
pub fn recommend(plan: &Plan, seed: u64) -> Recommendation {
    let evenings = evenings(plan, seed, plan.evenings);
    let mut draft = Draft { plan, evenings, lanes: plan.lanes.clone(), more: Vec::new() };
    draft.change_classes(arrange(plan, seed));
    draft.open_longer();
    // Guests who follow the lanes go where lanes are added, so one entrance's lanes may change another's need.
    for _ in 0..2 {
        let before = draft.more.clone();
        for entrance in 0..plan.entrances.len() {
            draft.add_lanes(entrance);
        }
        if draft.more == before {
            break;
        }
    }
    draft.take_back();
    draft.drop_if_worse();
    let needs = draft.needs();
    let with_changes = plan.with_lanes(&draft.all_lanes());
    Recommendation {
        changes: draft.changes(),
        needs,
        before: outlook(plan, &draft.evenings),
        after: outlook(&with_changes, &draft.evenings),
        pooled: outlook(&plan.with_lanes(&pooled(&plan.lanes)), &draft.evenings),
        plan: with_changes,
    }
}

fn outlook(plan: &Plan, evenings: &[Vec<Guest>]) -> Outlook {
    let stage = Stage::new(plan, &plan.lanes);
    let mut tally = Tally::new(plan);
    for evening in evenings {
        tally.add(&stage.play(evening));
    }
    tally.outlook()
}

impl Draft<'_> {
    fn with(&self, more: impl IntoIterator<Item = More>) -> Vec<Lane> {
        let copies = more.into_iter().flat_map(|more| more_like(&self.lanes[more.like], more.count, more.open_ms));
        self.lanes.iter().cloned().chain(copies).collect()
    }

    fn all_lanes(&self) -> Vec<Lane> {
        self.with(self.more.iter().copied())
    }

    fn score(&self, lanes: &[Lane]) -> Score {
        Score::of(self.plan, lanes, &self.evenings)
    }

    fn change_classes(&mut self, arranged: Vec<Lane>) {
        if arranged != self.lanes && !self.score(&arranged).is_worse_than(&self.score(&self.lanes)) {
            self.lanes = arranged;
        }
    }

    /// Opens lanes for the whole evening, one by one, until every entrance keeps its promise.
    fn open_longer(&mut self) {
        let mut score = self.score(&self.lanes);
        for at in in_turn(&self.lanes) {
            if score.is_met() {
                return;
            }
            let open_ms = whole_evening_from_ms(&self.lanes, self.lanes[at].entrance).min(self.lanes[at].open_ms);
            let mut longer = self.lanes.clone();
            longer[at] = Lane { open_ms, close_ms: NEVER_MS, ..longer[at].clone() };
            if longer[at] == self.lanes[at] {
                continue;
            }
            let longer_score = self.score(&longer);
            if longer_score.keeps_more_than(&score) {
                (self.lanes, score) = (longer, longer_score);
            }
        }
    }

    /// Takes back hours and added lanes that the others have made needless.
    fn take_back(&mut self) {
        let mut score = self.score(&self.all_lanes());
        let keeps = |score: &Score, trial: &Score| {
            (0..trial.entrances()).all(|at| trial.is_met_at(at) || !score.is_met_at(at))
                && !score.keeps_more_than(trial)
        };
        for (at, planned) in self.plan.lanes.iter().enumerate() {
            let Lane { open_ms, close_ms, .. } = self.lanes[at];
            if (planned.open_ms, planned.close_ms) == (open_ms, close_ms) {
                continue;
            }
            (self.lanes[at].open_ms, self.lanes[at].close_ms) = (planned.open_ms, planned.close_ms);
            let trial = self.score(&self.all_lanes());
            if keeps(&score, &trial) {
                score = trial;
            } else {
                (self.lanes[at].open_ms, self.lanes[at].close_ms) = (open_ms, close_ms);
            }
        }
        for at in 0..self.more.len() {
            while self.more[at].count > 0 {
                self.more[at].count -= 1;
                let trial = self.score(&self.all_lanes());
                if !keeps(&score, &trial) {
                    self.more[at].count += 1;
                    break;
                }
                score = trial;
            }
        }
        self.more.retain(|more| more.count > 0);
    }

    /// Adds lanes for one class after the other until the entrance keeps its promise. A class for which no number of
    /// lanes is enough gets none.
    fn add_lanes(&mut self, entrance: usize) {
        let open_ms = whole_evening_from_ms(&self.lanes, entrance);
        let mut hopeless = ClassSet::NONE;
        // Lanes for one class may leave another to be settled, and draw guests who unsettle a third.
        for _ in 0..2 * self.plan.classes.len() {
            let Some(class) = self.score(&self.all_lanes()).worst_class(entrance, hopeless) else { return };
            let added: u32 = self.more.iter().filter(|more| more.entrance == entrance).map(|more| more.count).sum();
            let copies = relief(&self.lanes, entrance, class).and_then(|like| {
                let more = |count| More { entrance, like, count, open_ms };
                let lanes = |count| self.with(self.more.iter().copied().chain([more(count)]));
                let enough = |count| self.score(&lanes(count)).is_met_for(entrance, class);
                fewest(MOST_MORE.saturating_sub(added), enough).map(more)
            });
            let Some(copies) = copies else {
                hopeless = hopeless.with(class);
                continue;
            };
            match self.more.iter_mut().find(|more| (more.entrance, more.like) == (entrance, copies.like)) {
                Some(more) => more.count += copies.count,
                None => self.more.push(copies),
            }
        }
    }

    /// The last word: whatever the search believed, what is handed out was compared with the plan.
    fn drop_if_worse(&mut self) {
        if self.score(&self.all_lanes()).is_worse_than(&self.score(&self.plan.lanes)) {
            self.lanes = self.plan.lanes.clone();
            self.more.clear();
        }
    }

    fn needs(&self) -> Vec<EntranceNeed> {
        let lanes = self.all_lanes();
        let score = self.score(&lanes);
        let short = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let count = |lanes: &[Lane], entrance| short(lanes.iter().filter(|lane| lane.entrance == entrance).count());
        let may_spare = |entrance| self.more.iter().all(|more| more.entrance != entrance);
        let spare = spare(&lanes, &score, may_spare, |lanes| self.score(lanes));
        let needs = self.plan.entrances.iter().enumerate().map(|(entrance, &entrance_id)| {
            let spare: Vec<usize> = spare.iter().copied().filter(|at| lanes[*at].entrance == entrance).collect();
            let needed = count(&lanes, entrance) - short(spare.len());
            EntranceNeed {
                entrance_id,
                lanes_planned: count(&self.plan.lanes, entrance),
                lanes_needed: score.is_met_at(entrance).then_some(needed),
                spare_lane_ids: spare.iter().filter_map(|at| lanes[*at].id).collect(),
            }
        });
        needs.collect()
    }

    /// What differs from the plan.
    fn changes(&self) -> Vec<Change> {
        let mut changes = Vec::new();
        for (planned, lane) in self.plan.lanes.iter().zip(&self.lanes) {
            let Some(lane_id) = lane.id else { continue };
            for (at, class) in self.plan.classes.iter().enumerate() {
                match (planned.takes.has(at), lane.takes.has(at)) {
                    (false, true) => changes.push(Change::GiveClass { class: class.id, lane_id }),
                    (true, false) => changes.push(Change::WithdrawClass { class: class.id, lane_id }),
                    _ => {}
                }
            }
            if (planned.open_ms, planned.close_ms) != (lane.open_ms, lane.close_ms) {
                changes.push(Change::OpenLonger { lane_id, from_min: ms_to_minutes(lane.open_ms) });
            }
        }
        changes.extend(self.more.iter().filter_map(|more| {
            Some(Change::OpenLane {
                entrance_id: self.plan.entrances[more.entrance],
                lanes: more.count,
                like_lane_id: self.lanes[more.like].id?,
                from_min: ms_to_minutes(more.open_ms),
            })
        }));
        changes
    }
}

/// The lanes' indices: the first of each entrance, then the second of each, and so on.
fn in_turn(lanes: &[Lane]) -> Vec<usize> {
    let before = |at: usize| lanes[..at].iter().filter(|lane| lane.entrance == lanes[at].entrance).count();
    let mut order: Vec<usize> = (0..lanes.len()).collect();
    order.sort_by_key(|at| before(*at));
    order
}
