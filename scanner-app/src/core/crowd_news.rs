//! What staff are told of the crowd's clock: that it put this handheld right, or that it contradicts it.

use gate_core::crowd::{CORRECTION_MIN_MS, CrowdSays};

use super::engine::{SyncNews, Trouble};
use super::present::times::span;

/// What to tell, from what the crowd says of the clock now.
pub fn crowd_news(says: Option<CrowdSays>) -> SyncNews {
    let told = |message: String| SyncNews::Trouble { kind: Trouble::Clock, message };
    let side = |ms: i64| if ms < 0 { "behind" } else { "ahead of" };
    match says {
        Some(CrowdSays { left_ms, signed, .. }) if left_ms.abs() >= CORRECTION_MIN_MS => {
            let what = format!("Most guests' phones are {} {} this handheld", span(left_ms.abs()), side(left_ms));
            told(if signed {
                format!(
                    "{what}, whose time is the server's. Guests with a network open their ticket's page anew; for others a \
                     supervisor can let older codes pass for a while"
                )
            } else {
                format!("{what}, further than they may set its clock. Connect it once: it takes the server's time")
            })
        }
        Some(CrowdSays { moved_ms, .. }) if moved_ms != 0 => {
            let way = if moved_ms < 0 { "back" } else { "forward" };
            told(format!(
                "Guests' phones moved this handheld's clock {way} by {}, since it was restarted without a network. Connect \
                 it when you can",
                span(moved_ms.abs())
            ))
        }
        _ => SyncNews::Mended(Trouble::Clock),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_of_the_crowd_has_its_sentence() {
        let said = |moved_ms, left_ms, signed| match crowd_news(Some(CrowdSays { moved_ms, left_ms, signed })) {
            SyncNews::Trouble { kind: Trouble::Clock, message } => message,
            news => format!("{news:?}"),
        };
        assert!(
            said(0, 360_000, true).starts_with("Most guests' phones are 6 min ahead of this handheld, whose time is")
        );
        assert!(
            said(0, -7_200_000, false).starts_with("Most guests' phones are 2 h behind this handheld, further than")
        );
        assert!(said(-240_000, 2_000, false).contains("clock back by 4 min"));
        assert_eq!(crowd_news(None), SyncNews::Mended(Trouble::Clock));
        assert_eq!(
            crowd_news(Some(CrowdSays { moved_ms: 0, left_ms: 9_000, signed: true })),
            SyncNews::Mended(Trouble::Clock)
        );
    }
}
