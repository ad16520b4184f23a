//! What can be wrong with a plan or with the facts of a night. Every sentence says what to do, for the organiser who
//! wrote it.

/// Why a plan cannot be played.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PlanError {
    #[error("The plan has no {0}. Add at least one.")]
    Nothing(&'static str),
    #[error("The plan has {found} {what}, and {most} can be planned at once. Merge some of them.")]
    TooMany { what: &'static str, found: usize, most: usize },
    #[error("The name of {what} {id} is empty or longer than 100 characters. Write what people call it.")]
    Name { what: &'static str, id: u32 },
    #[error("The {what} {id} is in the plan twice. Give each its own number, or remove one of them.")]
    Twice { what: &'static str, id: u32 },
    #[error("{guests} guests are expected with {class}. Write a number from 0 to 200000.")]
    Guests { class: String, guests: i64 },
    #[error("No guests are expected. Write for at least one class how many will come.")]
    NoGuests,
    #[error("{found} guests are expected, and up to 200000 can be planned. Plan the evening in parts.")]
    TooManyGuests { found: i64 },
    #[error("The arrivals of {class} need at least two points, from when the first guests come until the last.")]
    CurveShort { class: String },
    #[error("The arrivals of {class} have {found} points, and up to 1000 are allowed. Leave some out.")]
    CurveLong { class: String, found: usize },
    #[error(
        "The arrivals of {class} name the minute {minute}. Minutes count from the doors' opening, -720 to 1440: write \
         one of these."
    )]
    CurveMinute { class: String, minute: f64 },
    #[error("The arrivals of {class} go back in time at minute {minute}. Put the points in order, each minute once.")]
    CurveOrder { class: String, minute: f64 },
    #[error("The arrivals of {class} have {weight} at minute {minute}. Write 0 or a number above it.")]
    CurveWeight { class: String, minute: f64, weight: f64 },
    #[error("The arrivals of {class} are 0 throughout. Write a number above 0 for the minutes in which guests come.")]
    CurveFlat { class: String },
    #[error("The share of {class} that has come is {share} at minute {minute}. Write a share from 0 to 1.")]
    CurveShare { class: String, minute: f64, share: f64 },
    #[error("The share of {class} that has come falls at minute {minute}. Who came stays: let it rise or stay level.")]
    CurveFalls { class: String, minute: f64 },
    #[error("The share of {class} that has come must begin with 0 and end with 1; it goes from {first} to {last}.")]
    CurveEnds { class: String, first: f64, last: f64 },
    #[error(
        "Guests of {class} are sent to entrance {entrance_id}, which is not in the plan. Add it or correct the number."
    )]
    ShareEntrance { class: String, entrance_id: u32 },
    #[error("{class} names entrance {entrance_id} twice. Write one share for it.")]
    ShareTwice { class: String, entrance_id: u32 },
    #[error("{class} has the share {share} at entrance {entrance_id}. Write a share from 0 to 1.")]
    Share { class: String, entrance_id: u32, share: f64 },
    #[error("The shares of {class} over the entrances add up to {sum}. Change them so that they add up to 1.")]
    SharesSum { class: String, sum: f64 },
    #[error("{lane} stands at entrance {entrance_id}, which is not in the plan. Add it or correct the number.")]
    LaneEntrance { lane: String, entrance_id: u32 },
    #[error("{lane} names class {class}, which is not in the plan. Add the class or correct its number.")]
    LaneClass { lane: String, class: u16 },
    #[error("{lane} takes class {class} and may not take it. Remove it from `takes`, or add it to `may_take`.")]
    LaneMayNot { lane: String, class: u16 },
    #[error(
        "The hours of {lane} name the minute {minute}. Minutes count from the doors' opening, -720 to 1440: write one \
         of these."
    )]
    LaneMinute { lane: String, minute: f64 },
    #[error("{lane} closes at minute {until_min} and opens at minute {from_min}. Let it close after it opens.")]
    LaneHours { lane: String, from_min: f64, until_min: f64 },
    #[error("No lane takes {class}. Give it to at least one lane.")]
    NoLaneTakes { class: String },
    #[error("Guests of {class} are sent to {entrance}, where no lane takes them. Give {class} to a lane there.")]
    NoLaneAtEntrance { class: String, entrance: String },
    #[error("A guest takes {mean_s} s at a lane on average. Write the seconds from 0.1 to 600.")]
    ServiceMean { mean_s: f64 },
    #[error(
        "95 % of guests cannot take less than {p95_s} s where the mean is {mean_s} s. Write a `p95_s` from the mean up \
         to 3.8 times it, or give measured gaps."
    )]
    ServiceP95 { mean_s: f64, p95_s: f64 },
    #[error("There are {found} measured gaps. Give from 1 to 100000 of them.")]
    Gaps { found: usize },
    #[error("One of the measured gaps is {gap_s} s. Give gaps above 0 and up to 600 s, measured while guests waited.")]
    Gap { gap_s: f64 },
    #[error("The wanted wait is {p95_wait_s} s. Write the seconds from 1 to 14400.")]
    Wait { p95_wait_s: f64 },
    #[error("The plan asks for {evenings} evenings. Ask for 1 to {most}, fewer where many guests come; 20 are usual.")]
    Evenings { evenings: i64, most: i64 },
}

/// Why a night cannot be compared with its plan.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum FactsError {
    #[error("It is said to be minute {now_min}. Write the minutes since the doors' opening, -720 to 1440.")]
    Now { now_min: f64 },
    #[error("Entrance {entrance_id} is not in the plan. Correct the number, or plan again with it.")]
    EntranceUnknown { entrance_id: u32 },
    #[error("Entrance {entrance_id} is named twice. Add its numbers up.")]
    EntranceTwice { entrance_id: u32 },
    #[error("Nothing is said about entrance {entrance_id}. Name it, without admissions if there were none.")]
    EntranceMissing { entrance_id: u32 },
    #[error(
        "The admissions at entrance {entrance_id} go back in time at minute {minute}. Put each minute in once, in \
         order."
    )]
    Order { entrance_id: u32, minute: i64 },
    #[error("The admissions at entrance {entrance_id} name minute {minute}, which is not over. Leave it out.")]
    Future { entrance_id: u32, minute: i64 },
    #[error("{found} guests are said to have come. Up to 200000 can be planned; count again.")]
    Crowd { found: u64 },
    #[error("Lane {lane_id} is said to be down, and is not in the plan. Correct the number.")]
    LaneUnknown { lane_id: u32 },
    #[error("There are {found} measured gaps. Give the newest 100000 of them.")]
    TooManyGaps { found: usize },
    #[error("One of the measured gaps is {gap_s} s. Give gaps above 0 and up to 600 s, measured while guests waited.")]
    Gap { gap_s: f64 },
}
