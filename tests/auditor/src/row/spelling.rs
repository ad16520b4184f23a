//! The one spelling of a row in CBOR: reading it, and writing it again to see that it is the one.

use minicbor::data::Type;
use minicbor::decode::Error;
use minicbor::{Decoder, Encoder};

use super::{Act, Detail, Direction, Outcome, Row};
use crate::fault::Fault;
use crate::ids::{DeviceId, RowId, TicketId};

const FORMAT: u8 = 1;
/// Places of the array.
const PLACES: u64 = 29;
/// The first place that may be empty to the end, and so be left out.
const LAST_FULL: u64 = 25;

/// A detail's number, and the widths of its one or two integers.
const DETAILS: [(u8, &[Width]); 7] = [
    (1, &[Width::I64, Width::U32]),
    (2, &[Width::U32]),
    (3, &[Width::U32]),
    (4, &[Width::U32]),
    (5, &[Width::I64]),
    (6, &[Width::U8, Width::U8]),
    (7, &[Width::U8]),
];

#[derive(Clone, Copy)]
enum Width {
    U8,
    U32,
    I64,
}

impl Width {
    fn read(self, d: &mut Decoder<'_>) -> Result<i64, Error> {
        match self {
            Width::U8 => d.u8().map(i64::from),
            Width::U32 => d.u32().map(i64::from),
            Width::I64 => d.i64(),
        }
    }
}

/// The row that these bytes are, in any spelling.
pub(super) fn read(bytes: &[u8]) -> Result<Row, Fault> {
    let mut decoder = Decoder::new(bytes);
    let row = row(&mut decoder).map_err(|_| Fault::Payload)??;
    if decoder.position() == bytes.len() { Ok(row) } else { Err(Fault::Payload) }
}

/// The outer error is CBOR's, the inner one the row's.
fn row(d: &mut Decoder<'_>) -> Result<Result<Row, Fault>, Error> {
    let places = d.array()?.unwrap_or(0);
    if !(LAST_FULL..=PLACES).contains(&places) {
        return Ok(Err(Fault::Payload));
    }
    if d.u8()? != FORMAT {
        return Ok(Err(Fault::UnknownFormat));
    }
    let id = RowId { device: DeviceId(d.u64()?), epoch: d.u64()?, seq: d.u64()? };
    let prev = bytes32(d)?;
    let (event, lane) = (d.u32()?, d.u32()?);
    let (at_ms, uncertainty_ms, offset_ms) = (d.i64()?, d.u32()?, d.i64()?);
    let code = optional(d, |d| d.str().map(str::to_owned))?;
    let code_hash = bytes32(d)?;
    let code_length = d.u32()?;
    let outcome = Outcome::from_byte(d.u8()?);
    let reason = d.str()?.to_owned();
    let detail = optional(d, detail)?;
    let ticket = optional(d, |d| d.u64().map(TicketId))?;
    let serial = optional(d, Decoder::u8)?;
    let class = optional(d, Decoder::u16)?;
    let marks = d.u8()?;
    let (list_version, policy_version) = (d.u64()?, d.u64()?);
    let act = Act::from_byte(d.u8()?);
    let direction = Direction::from_byte(d.u8()?);
    let guests = d.u8()?;
    let mut tail = places.saturating_sub(LAST_FULL);
    let of = place(d, &mut tail, Decoder::u64)?;
    let staff = place(d, &mut tail, Decoder::u16)?;
    let grant = place(d, &mut tail, |d| d.bytes().map(<[u8]>::to_vec))?;
    let note = place(d, &mut tail, |d| d.str().map(str::to_owned))?;
    let (Some(outcome), Some(act), Some(direction)) = (outcome, act, direction) else {
        return Ok(Err(Fault::Payload));
    };
    Ok(Ok(Row {
        id,
        prev,
        event,
        lane,
        at_ms,
        uncertainty_ms,
        offset_ms,
        code,
        code_hash,
        code_length,
        outcome,
        reason,
        detail,
        ticket,
        serial,
        class,
        marks,
        list_version,
        policy_version,
        act,
        direction,
        guests,
        of,
        staff,
        grant,
        note,
    }))
}

fn bytes32(d: &mut Decoder<'_>) -> Result<[u8; 32], Error> {
    d.bytes()?.try_into().map_err(|_| Error::message("32 bytes are wanted"))
}

fn optional<'b, T>(
    d: &mut Decoder<'b>,
    read: impl FnOnce(&mut Decoder<'b>) -> Result<T, Error>,
) -> Result<Option<T>, Error> {
    if d.datatype()? == Type::Null {
        d.null()?;
        return Ok(None);
    }
    read(d).map(Some)
}

/// A place at the array's end, which is not there where nothing follows.
fn place<'b, T>(
    d: &mut Decoder<'b>,
    left: &mut u64,
    read: impl FnOnce(&mut Decoder<'b>) -> Result<T, Error>,
) -> Result<Option<T>, Error> {
    if *left == 0 {
        return Ok(None);
    }
    *left -= 1;
    optional(d, read)
}

fn detail(d: &mut Decoder<'_>) -> Result<Detail, Error> {
    let wrong = || Error::message("no detail that is known");
    if d.array()? != Some(2) {
        return Err(wrong());
    }
    let kind = d.u8()?;
    let (_, widths) = DETAILS.into_iter().find(|(known, _)| *known == kind).ok_or_else(wrong)?;
    if d.array()? != Some(widths.len() as u64) {
        return Err(wrong());
    }
    let mut integers = [None; 2];
    for (integer, width) in integers.iter_mut().zip(widths) {
        *integer = Some(width.read(d)?);
    }
    let [first, second] = integers;
    Ok(Detail { kind, first: first.ok_or_else(wrong)?, second })
}

/// The row's one spelling.
pub(super) fn write(row: &Row) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(super::MAX_LENGTH);
    // Writing to memory does not fail; if it ever did, the bytes would differ and the row would not stand.
    let _ = write_to(&mut Encoder::new(&mut bytes), row);
    bytes
}

type Written = Result<(), minicbor::encode::Error<std::convert::Infallible>>;
type Pen<'a> = Encoder<&'a mut Vec<u8>>;

fn write_to(e: &mut Pen<'_>, row: &Row) -> Written {
    let filled = [row.of.is_some(), row.staff.is_some(), row.grant.is_some(), row.note.is_some()];
    let tail = filled.iter().rposition(|filled| *filled).map_or(0, |at| at as u64 + 1);
    e.array(LAST_FULL + tail)?.u8(FORMAT)?;
    e.u64(row.id.device.0)?.u64(row.id.epoch)?.u64(row.id.seq)?.bytes(&row.prev)?;
    e.u32(row.event)?.u32(row.lane)?.i64(row.at_ms)?.u32(row.uncertainty_ms)?.i64(row.offset_ms)?;
    or_null(e, row.code.as_ref(), |e, code| e.str(code).map(drop))?;
    e.bytes(&row.code_hash)?.u32(row.code_length)?.u8(row.outcome.to_byte())?.str(&row.reason)?;
    or_null(e, row.detail.as_ref(), |e, detail| {
        e.array(2)?.u8(detail.kind)?.array(if detail.second.is_some() { 2 } else { 1 })?.i64(detail.first)?;
        detail.second.map_or(Ok(()), |second| e.i64(second).map(drop))
    })?;
    or_null(e, row.ticket.as_ref(), |e, ticket| e.u64(ticket.0).map(drop))?;
    or_null(e, row.serial.as_ref(), |e, serial| e.u8(*serial).map(drop))?;
    or_null(e, row.class.as_ref(), |e, class| e.u16(*class).map(drop))?;
    e.u8(row.marks)?.u64(row.list_version)?.u64(row.policy_version)?;
    e.u8(row.act.to_byte())?.u8(row.direction.to_byte())?.u8(row.guests)?;
    let mut left = tail;
    at_end(e, &mut left, row.of.as_ref(), |e, of| e.u64(*of).map(drop))?;
    at_end(e, &mut left, row.staff.as_ref(), |e, staff| e.u16(*staff).map(drop))?;
    at_end(e, &mut left, row.grant.as_ref(), |e, grant| e.bytes(grant).map(drop))?;
    at_end(e, &mut left, row.note.as_ref(), |e, note| e.str(note).map(drop))
}

fn or_null<T: ?Sized>(e: &mut Pen<'_>, value: Option<&T>, write: impl FnOnce(&mut Pen<'_>, &T) -> Written) -> Written {
    match value {
        Some(value) => write(e, value),
        None => e.null().map(drop),
    }
}

fn at_end<T: ?Sized>(
    e: &mut Pen<'_>,
    left: &mut u64,
    value: Option<&T>,
    write: impl FnOnce(&mut Pen<'_>, &T) -> Written,
) -> Written {
    if *left == 0 {
        return Ok(());
    }
    *left -= 1;
    or_null(e, value, write)
}
