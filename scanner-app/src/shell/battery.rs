//! The battery, as Linux tells of it (`Documentation/ABI/testing/sysfs-class-power`). What cannot be read is not told.

use std::path::Path;

use gate_core::wire::v1::Battery;

/// Where the kernel lists what feeds the device.
pub const SUPPLIES: &str = "/sys/class/power_supply";

/// The device's battery; the mean of several. None where there is none.
pub fn read(supplies: &Path) -> Option<Battery> {
    let mut found: Vec<Battery> = Vec::new();
    for entry in std::fs::read_dir(supplies).ok()?.flatten() {
        found.extend(one(&entry.path()));
    }
    let count = u32::try_from(found.len()).ok().filter(|count| *count > 0)?;
    let sum: u32 = found.iter().map(|battery| u32::from(battery.percent)).sum();
    let percent = u8::try_from((sum + count / 2) / count).unwrap_or(100);
    Some(Battery { percent, charging: found.iter().any(|battery| battery.charging) })
}

/// One supply, where it is a battery that feeds the device itself: a pen or a headset has one of its own.
fn one(supply: &Path) -> Option<Battery> {
    let word = |name: &str| std::fs::read_to_string(supply.join(name)).ok().map(|text| text.trim().to_owned());
    let feeds_us = word("scope").is_none_or(|scope| scope != "Device");
    if word("type")? != "Battery" || !feeds_us || word("present").as_deref() == Some("0") {
        return None;
    }
    let percent: u8 = word("capacity")?.parse().ok().filter(|percent| *percent <= 100)?;
    let status = word("status").unwrap_or_default();
    // "Not charging" is what a full or a warm one says that is fed from outside.
    Some(Battery { percent, charging: matches!(status.as_str(), "Charging" | "Full" | "Not charging") })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn supply(root: &Path, name: &str, files: &[(&str, &str)]) {
        let folder = root.join(name);
        std::fs::create_dir_all(&folder).unwrap();
        for (file, text) in files {
            std::fs::write(folder.join(file), format!("{text}\n")).unwrap();
        }
    }

    #[test]
    fn the_devices_own_battery_is_told_and_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(read(&root.path().join("nowhere")), None);
        supply(root.path(), "AC", &[("type", "Mains"), ("online", "1")]);
        let pen = [("type", "Battery"), ("scope", "Device"), ("capacity", "3"), ("status", "Discharging")];
        supply(root.path(), "pen", &pen);
        assert_eq!(read(root.path()), None);
        supply(root.path(), "BAT0", &[("type", "Battery"), ("capacity", "41"), ("status", "Discharging")]);
        assert_eq!(read(root.path()), Some(Battery { percent: 41, charging: false }));
        supply(
            root.path(),
            "BAT1",
            &[("type", "Battery"), ("capacity", "80"), ("status", "Charging"), ("present", "1")],
        );
        assert_eq!(read(root.path()), Some(Battery { percent: 61, charging: true }));
        for (capacity, status) in [("", "Full"), ("250", "Full"), ("x", "Unknown")] {
            supply(root.path(), "BAT1", &[("capacity", capacity), ("status", status)]);
            assert_eq!(read(root.path()).map(|battery| battery.percent), Some(41), "{capacity:?} is no capacity");
        }
        supply(root.path(), "BAT0", &[("status", "Not charging")]);
        assert_eq!(read(root.path()), Some(Battery { percent: 41, charging: true }));
    }
}
