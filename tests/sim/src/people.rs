//! Guests with their phones, and staff who let more in.

use gate_core::record::StaffAct;
use gate_core::{Direction, Outcome};
use scanner_app::core::engine::Input;
use ticket_signer::{ClassId, Serial};

use crate::chance::Chance;
use crate::check::Violation;
use crate::organiser::Issued;
use crate::scenario::Kind;
use crate::world::{Luck, World};

impl World {
    pub(crate) fn guests(&mut self) -> Result<(), Violation> {
        for device in 0..self.devices.len() {
            let mut luck = self.luck(Luck::Guest, device);
            let spot = (self.step, device as u8);
            let share = if self.crowd { 10 } else { 4 };
            if !luck.percent(share) || !self.scenario.comes(spot) || !self.devices[device].is_running() {
                continue;
            }
            self.played.guests.insert(spot);
            let issued = luck.pick(&self.cloud.tickets).clone();
            let text = self.shown_code(&issued, &mut luck);
            self.devices[device].give(self.now_ms, Input::Seen(vec![text]));
            self.look(device)?;
            self.staff(device, &mut luck)?;
        }
        Ok(())
    }

    fn shown_code(&mut self, issued: &Issued, luck: &mut Chance) -> Vec<u8> {
        let roll = luck.between(0, 100);
        if self.crowd {
            return self.crowds_code(issued, luck);
        }
        let full = luck.percent(35);
        let fresh_ms = self.now_ms + luck.between(-8_000, 8_000);
        let old_ms = self.now_ms - luck.between(45_000, 400_000);
        let text = match roll {
            0..=3 => return b"https://menu.example".to_vec(),
            4..=11 if !self.photos.is_empty() => return luck.pick(&self.photos).clone(),
            12..=15 => self.cloud.organiser.code(issued, old_ms, full),
            16..=35 if issued.serial > Serial::FIRST => {
                let old =
                    Issued { serial: Serial::new(issued.serial.get() - 1).unwrap_or(Serial::FIRST), ..issued.clone() };
                self.cloud.organiser.code(&old, fresh_ms, full)
            }
            _ => self.cloud.organiser.code(issued, fresh_ms, full),
        };
        let text = text.to_text().into_bytes();
        if luck.percent(30) {
            self.photos.push(text.clone());
        }
        text
    }

    /// One of many phones: all but two tell the time well.
    fn crowds_code(&self, issued: &Issued, luck: &mut Chance) -> Vec<u8> {
        let at = self.cloud.tickets.iter().position(|ticket| ticket.id == issued.id).unwrap_or(0);
        let off_ms = match at {
            0 => -400_000,
            1 => 1_500_000,
            _ => luck.between(-2_000, 2_000),
        };
        let full = luck.percent(35);
        self.cloud.organiser.code(issued, self.now_ms + off_ms, full).to_text().into_bytes()
    }

    /// Staff admit the rest of a group, or a supervisor overrides what the lane would not decide.
    fn staff(&mut self, device: usize, luck: &mut Chance) -> Result<(), Violation> {
        let (more, override_it, guests) = (luck.percent(30), luck.percent(8), luck.between(1, 4) as u8);
        let Some(last) = self.devices[device].bodies().last() else { return Ok(()) };
        let (seq, outcome, way) = (last.seq, last.outcome(), last.direction);
        let group = last.class == Some(ClassId(2)) && way == Direction::In.to_byte();
        let act = if outcome == Some(Outcome::Admit) && group && more {
            StaffAct::More { of: seq, guests }
        } else if outcome == Some(Outcome::Review) && override_it {
            StaffAct::Override { of: Some(seq), guests: 1, staff: 7, note: "Known to us".to_owned() }
        } else {
            return Ok(());
        };
        if self.happens(device, Kind::Staff) {
            self.devices[device].staff(self.now_ms, &act);
        }
        self.look(device)
    }
}
