//! How a handheld is, told by itself for the supervisor's page. It decides nothing: a gate that never tells works as well.

use serde::{Deserialize, Serialize};

/// `POST /gate/v1/events/{event}/status` (device-signed), answered with 204. The newest one counts. A handheld that finds no
/// such path at its server asks again much later.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceStatus {
    /// The program's version.
    #[serde(default)]
    pub version: String,
    /// None where the device has no battery, or tells nothing of it.
    #[serde(default)]
    pub battery: Option<Battery>,
    /// Journal rows that the cloud has not signed for.
    #[serde(default)]
    pub waiting_rows: u64,
    /// How long the oldest of them has waited.
    #[serde(default)]
    pub oldest_waiting_ms: u64,
    /// The list that it decides by.
    #[serde(default)]
    pub list: Option<ListInUse>,
    /// The policy that it decides by; 0 for none. It may be older than what the server sent: a gate sets aside what it cannot
    /// believe.
    #[serde(default)]
    pub policy_version: u64,
    #[serde(default)]
    pub clock: ClockState,
    /// For how many seconds it has not heard the feed; none while it does.
    #[serde(default)]
    pub cut_off_s: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Battery {
    /// From 0 to 100.
    pub percent: u8,
    /// It is charged or fed from outside.
    pub charging: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListInUse {
    pub version: u64,
    /// Unix milliseconds, by the list's signature.
    pub issued_at_ms: i64,
    /// Unix milliseconds.
    pub expires_at_ms: i64,
}

/// What the gate makes of its clock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockState {
    pub in_doubt: bool,
    /// The gate's time minus the system's clock.
    pub offset_ms: i64,
    pub uncertainty_ms: u32,
}

impl DeviceStatus {
    /// The longest version that is kept.
    pub const VERSION_MAX: usize = 40;

    /// Without what no device can mean: it is shown to people.
    #[must_use]
    pub fn tidied(mut self) -> Self {
        self.version = self.version.chars().filter(|c| !c.is_control()).take(Self::VERSION_MAX).collect();
        if let Some(battery) = &mut self.battery {
            battery.percent = battery.percent.min(100);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{from_cbor, to_cbor};

    #[test]
    fn a_status_of_another_version_is_read_as_far_as_it_says_something() {
        // An empty map: a handheld that tells nothing yet.
        assert_eq!(from_cbor::<DeviceStatus>(&[0xA0]).unwrap(), DeviceStatus::default());
        let full = DeviceStatus {
            version: "0.2.0".to_owned(),
            battery: Some(Battery { percent: 17, charging: true }),
            waiting_rows: 3,
            oldest_waiting_ms: 9_000,
            list: Some(ListInUse { version: 7, issued_at_ms: 1, expires_at_ms: 2 }),
            policy_version: 5,
            clock: ClockState { in_doubt: true, offset_ms: -3, uncertainty_ms: 20_000 },
            cut_off_s: Some(4),
        };
        assert_eq!(from_cbor::<DeviceStatus>(&to_cbor(&full).unwrap()).unwrap(), full);
    }

    #[test]
    fn what_no_device_can_mean_is_left_out() {
        let battery = Some(Battery { percent: 250, charging: false });
        let told = DeviceStatus { version: format!("1.0\n{}", "x".repeat(99)), battery, ..DeviceStatus::default() };
        let tidied = told.tidied();
        assert_eq!(tidied.battery.map(|battery| battery.percent), Some(100));
        assert!(tidied.version.starts_with("1.0x") && tidied.version.len() == DeviceStatus::VERSION_MAX);
    }
}
