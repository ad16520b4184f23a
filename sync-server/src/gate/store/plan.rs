//! The SQL of the plan of an event's evening.

use super::shape;
use crate::gate::planning::PlanInput;
use crate::platform::store::{Result, params};
use crate::platform::{Actor, Tx};

/// A plan as it is kept.
#[derive(Debug, Clone)]
pub struct KeptPlan {
    pub input: PlanInput,
    pub doors_open_at_ms: i64,
    pub put_at_ms: i64,
    /// The name of who put it.
    pub put_by: String,
}

pub async fn keep_plan(
    tx: &mut Tx,
    event_id: u32,
    input: &PlanInput,
    (doors_open_at_ms, now_ms): (i64, i64),
    by: &Actor,
) -> Result<()> {
    let document = serde_json::to_string(input).map_err(shape)?;
    tx.execute(
        "INSERT INTO plans (event_id, document, doors_open_at_ms, put_at_ms, put_by, put_by_name)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (event_id) DO UPDATE
         SET document = $2, doors_open_at_ms = $3, put_at_ms = $4, put_by = $5, put_by_name = $6",
        params![event_id, document, doors_open_at_ms, now_ms, by.reference(), by.name()],
    )
    .await?;
    Ok(())
}

pub async fn plan(tx: &mut Tx, event_id: u32) -> Result<Option<KeptPlan>> {
    let found: Option<(String, i64, i64, String)> = tx
        .query_optional(
            "SELECT document, doors_open_at_ms, put_at_ms, put_by_name FROM plans WHERE event_id = $1",
            params![event_id],
        )
        .await?;
    let kept = |(document, doors_open_at_ms, put_at_ms, put_by): (String, i64, i64, String)| {
        let input = serde_json::from_str(&document).map_err(shape)?;
        Ok(KeptPlan { input, doors_open_at_ms, put_at_ms, put_by })
    };
    found.map(kept).transpose()
}
