//! `list make` and `list inspect`: a signed manifest, and beside it the zstd chunks that it names.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::{Value, json};
use ticket_signer::list::{ChunkRef, MAX_CHUNK_TICKETS};
use ticket_signer::{
    ClassEntry, ClassId, Credential, EventId, HolderAlgorithm, HolderKey, ListChunk, ListManifest, ListedTicket,
    Purpose, Serial, TicketStatus, envelope,
};

use super::failure::{Failure, Result};
use super::files;
use super::inspect::unverified_payload;
use super::output::{Output, table};
use super::parse::{self, Moment};

/// As the server packs them: a list is made once and fetched by every gate.
const ZSTD_LEVEL: i32 = 9;
/// The manifest's name in the folder that `list make` fills.
const MANIFEST: &str = "manifest";

#[derive(Debug, Args)]
pub struct List {
    #[command(subcommand)]
    command: ListCommand,
}

#[derive(Debug, Subcommand)]
enum ListCommand {
    /// Sign a list given as JSON: DIR/manifest and DIR/<SHA-256>.zst
    Make(Make),
    /// Say what a manifest and its chunks hold, WITHOUT checking who signed them
    Inspect(Inspect),
}

#[derive(Debug, Args)]
struct Make {
    /// JSON, `-` for standard input: {"event", "version", "base" (0: a full list), "issued_at", "expires_at", "total" (of a
    /// delta), "classes": [{"class", "name", "valid_from", "valid_until", "admissions", "flags"}], "tickets": [{"ticket",
    /// "serial", "class", "status" (active or revoked), "algorithm", "holder_key"} or {"credential", "status"}]}
    #[arg(long, value_name = "FILE")]
    input: PathBuf,
    /// The private key of an authority that is certified for lists
    #[arg(long, value_name = "FILE", env = "TURNSTONE_LIST_KEY")]
    key: PathBuf,
    /// Folder for the manifest and the chunks; it is made where it is missing
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

#[derive(Debug, Args)]
struct Inspect {
    /// The manifest
    manifest: PathBuf,
    /// The folder with the chunks; without it the manifest alone is shown
    #[arg(long, value_name = "DIR")]
    chunks: Option<PathBuf>,
    /// Show every ticket too
    #[arg(long, requires = "chunks")]
    tickets: bool,
}

impl List {
    pub fn run(self, output: &Output) -> Result<()> {
        match self.command {
            ListCommand::Make(make) => make.run(output),
            ListCommand::Inspect(inspect) => inspect.run(output),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ListJson {
    event: u32,
    version: u64,
    #[serde(default)]
    base: u64,
    issued_at: Option<Moment>,
    expires_at: Moment,
    total: Option<u32>,
    classes: Vec<ClassJson>,
    tickets: Vec<TicketJson>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClassJson {
    class: u16,
    name: String,
    valid_from: Moment,
    valid_until: Moment,
    admissions: u8,
    #[serde(default)]
    flags: u8,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TicketJson {
    ticket: Option<String>,
    serial: Option<u8>,
    class: Option<u16>,
    status: Option<String>,
    algorithm: Option<String>,
    holder_key: Option<String>,
    credential: Option<String>,
}

impl TicketJson {
    fn read(&self, event: EventId) -> Result<ListedTicket, String> {
        let status = match self.status.as_deref() {
            None | Some("active") => TicketStatus::Active,
            Some("revoked") => TicketStatus::Revoked,
            Some(_) => return Err("`status` must be active or revoked".to_owned()),
        };
        if let Some(text) = &self.credential {
            let bytes = parse::base64url(text).ok_or("`credential` must be base64url without padding")?;
            let credential = Credential::from_bytes(&bytes).map_err(|error| format!("`credential`: {error}"))?;
            if credential.fields().event != event {
                return Err(format!("its credential is for event {}", credential.fields().event));
            }
            return Ok(ListedTicket { status, ..listed(&credential) });
        }
        Ok(ListedTicket {
            ticket: parse::ticket_id(self.ticket.as_deref().ok_or("`ticket` is missing")?)?,
            serial: Serial::new(self.serial.ok_or("`serial` is missing")?).ok_or("`serial` must be 1 to 254")?,
            class: ClassId(self.class.ok_or("`class` is missing")?),
            status,
            holder: parse::holder(self.algorithm.as_deref(), self.holder_key.as_deref())?,
        })
    }
}

/// The list entry that a credential amounts to.
pub fn listed(credential: &Credential) -> ListedTicket {
    let fields = credential.fields();
    ListedTicket {
        ticket: fields.ticket,
        serial: fields.serial,
        class: fields.class,
        status: TicketStatus::Active,
        holder: fields.holder.clone(),
    }
}

impl ListJson {
    fn tickets(&self) -> Result<Vec<ListedTicket>, String> {
        let event = EventId(self.event);
        let read = |(at, ticket): (usize, &TicketJson)| {
            ticket.read(event).map_err(|error| format!("ticket {} of the list: {error}", at + 1))
        };
        let mut tickets: Vec<ListedTicket> =
            self.tickets.iter().enumerate().map(read).collect::<Result<_, String>>()?;
        tickets.sort_by_key(|ticket| ticket.ticket);
        if let Some(twice) = tickets.windows(2).find(|pair| pair[0].ticket == pair[1].ticket) {
            return Err(format!("ticket {} is named twice", twice[0].ticket));
        }
        let classless = |ticket: &&ListedTicket| self.classes.iter().all(|class| class.class != ticket.class.0);
        if let Some(ticket) = tickets.iter().find(classless) {
            return Err(format!("ticket {} has class {}, which `classes` lacks", ticket.ticket, ticket.class));
        }
        Ok(tickets)
    }

    fn manifest(&self, chunks: Vec<ChunkRef>, tickets: usize) -> ListManifest {
        let class = |class: &ClassJson| ClassEntry {
            class: ClassId(class.class),
            name: class.name.clone(),
            valid_from_s: class.valid_from.0,
            valid_until_s: class.valid_until.0,
            admissions: class.admissions,
            flags: class.flags,
        };
        let now_s = || u32::try_from(files::now_s()).unwrap_or(u32::MAX);
        ListManifest {
            event: EventId(self.event),
            version: self.version,
            base: self.base,
            issued_at_s: self.issued_at.map_or_else(now_s, |moment| moment.0),
            expires_at_s: self.expires_at.0,
            tickets: self.total.unwrap_or(u32::try_from(tickets).unwrap_or(u32::MAX)),
            classes: self.classes.iter().map(class).collect(),
            chunks,
        }
    }
}

impl Make {
    fn run(self, output: &Output) -> Result<()> {
        let key = files::secret_key(&self.key, output)?;
        let wrong = |error: &dyn std::fmt::Display| Failure::content(&self.input, error);
        let list: ListJson = serde_json::from_str(&files::read_text(&self.input)?).map_err(|error| wrong(&error))?;
        let tickets = list.tickets().map_err(|error| wrong(&error))?;
        if list.base != 0 && list.total.is_none() {
            return Err(wrong(&"a delta must say in `total` how many tickets the list has once it is applied"));
        }
        let mut packed = Vec::new();
        for part in tickets.chunks(MAX_CHUNK_TICKETS) {
            let plain = ListChunk { tickets: part.to_vec() }.to_bytes();
            let bytes = zstd::bulk::compress(&plain, ZSTD_LEVEL)
                .map_err(|source| Failure::Write { path: self.out.clone(), source })?;
            packed.push((ChunkRef::of(&bytes, plain.len()), bytes));
        }
        let refs = packed.iter().map(|(named, _)| named.clone()).collect();
        let manifest = list.manifest(refs, tickets.len());
        let payload = manifest.to_bytes();
        // What a gate would refuse is not signed.
        ListManifest::from_bytes(&payload).map_err(|error| Failure::refused(error.reason(), error.to_string()))?;
        std::fs::create_dir_all(&self.out).map_err(|source| Failure::Write { path: self.out.clone(), source })?;
        let path = self.out.join(MANIFEST);
        if path.exists() {
            return Err(Failure::Exists { path });
        }
        for (named, bytes) in &packed {
            match files::write_new(&chunk_path(&self.out, named), bytes) {
                // The name is the content's hash: one of another list is the same.
                Err(Failure::Exists { .. }) => {}
                other => other?,
            }
        }
        files::write_new(&path, &envelope::seal(Purpose::List, &payload, &key))?;
        let size: usize = packed.iter().map(|(_, bytes)| bytes.len()).sum();
        let text = format!(
            "{}: version {} of event {}, {} tickets in {} chunks, {size} bytes",
            path.display(),
            manifest.version,
            manifest.event,
            tickets.len(),
            packed.len(),
        );
        output.say(&text, &manifest_json(&manifest, Some(&path)))
    }
}

fn chunk_path(folder: &Path, named: &ChunkRef) -> PathBuf {
    folder.join(format!("{}.zst", parse::hex(&named.hash)))
}

/// Reads, checks and unpacks a chunk that a manifest names.
pub fn read_chunk(folder: &Path, named: &ChunkRef) -> Result<ListChunk> {
    let path = chunk_path(folder, named);
    let bytes = files::read(&path)?;
    let refused = |error: ticket_signer::list::ListError| {
        Failure::refused(error.reason(), format!("{}: {error}", path.display()))
    };
    named.check(&bytes).map_err(refused)?;
    let size = named.unpacked as usize;
    let plain = zstd::bulk::decompress(&bytes, size).ok().filter(|plain| plain.len() == size).ok_or_else(|| {
        let what = format!("{}: it does not unpack to the {size} bytes that were signed for", path.display());
        Failure::refused("list_encoding", what)
    })?;
    ListChunk::from_bytes(&plain).map_err(refused)
}

pub fn manifest_json(manifest: &ListManifest, path: Option<&Path>) -> Value {
    let class = |class: &ClassEntry| {
        json!({
            "class": class.class.0,
            "name": class.name,
            "valid_from_s": class.valid_from_s,
            "valid_until_s": class.valid_until_s,
            "admissions": class.admissions,
            "flags": class.flags,
        })
    };
    let chunk = |chunk: &ChunkRef| json!({ "sha256": parse::hex(&chunk.hash), "compressed": chunk.compressed, "unpacked": chunk.unpacked });
    json!({
        "manifest_file": path,
        "event": manifest.event.0,
        "version": manifest.version,
        "base": manifest.base,
        "issued_at_s": manifest.issued_at_s,
        "expires_at_s": manifest.expires_at_s,
        "tickets": manifest.tickets,
        "classes": manifest.classes.iter().map(class).collect::<Vec<_>>(),
        "chunks": manifest.chunks.iter().map(chunk).collect::<Vec<_>>(),
    })
}

pub fn manifest_rows(manifest: &ListManifest) -> Vec<(&'static str, String)> {
    let base = if manifest.base == 0 { "a full list".to_owned() } else { format!("a delta from {}", manifest.base) };
    let mut rows = vec![
        ("event", manifest.event.to_string()),
        ("version", format!("{} ({base})", manifest.version)),
        ("issued at", parse::show_moment(manifest.issued_at_s.into())),
        ("expires at", parse::show_moment(manifest.expires_at_s.into())),
        ("tickets", manifest.tickets.to_string()),
        ("chunks", manifest.chunks.len().to_string()),
    ];
    rows.extend(manifest.classes.iter().map(|class| {
        let (from, until) = (class.valid_from_s.into(), class.valid_until_s.into());
        let (from, until) = (parse::show_moment(from), parse::show_moment(until));
        let what = format!("{} {:?}, {} admission(s), {from} to {until}", class.class, class.name, class.admissions);
        ("class", what)
    }));
    rows
}

impl Inspect {
    fn run(self, output: &Output) -> Result<()> {
        let bytes = files::read(&self.manifest)?;
        let payload = unverified_payload(Purpose::List, &bytes)
            .ok_or_else(|| Failure::content(&self.manifest, "this is no signed list; `inspect` says what it is"))?;
        let manifest = ListManifest::from_bytes(payload)
            .map_err(|error| Failure::refused(error.reason(), format!("{}: {error}", self.manifest.display())))?;
        let mut rows = vec![("UNVERIFIED", "nobody's signature was checked".to_owned())];
        rows.extend(manifest_rows(&manifest));
        let mut value = manifest_json(&manifest, Some(&self.manifest));
        value["verified"] = false.into();
        let mut shown = Vec::new();
        if let Some(folder) = &self.chunks {
            let mut tickets = Vec::new();
            for named in &manifest.chunks {
                tickets.extend(read_chunk(folder, named)?.tickets);
            }
            let count = |of: &dyn Fn(&&ListedTicket) -> bool| tickets.iter().filter(of).count();
            let bound = count(&|ticket| ticket.holder.is_some());
            let revoked = count(&|ticket| ticket.status == TicketStatus::Revoked);
            let what =
                format!("{} tickets, {bound} bound to phones, {revoked} revoked; every hash fits", tickets.len());
            rows.push(("chunks hold", what));
            value["held"] = json!({ "tickets": tickets.len(), "bound": bound, "revoked": revoked });
            if self.tickets {
                shown = tickets;
            }
        }
        if self.tickets {
            value["entries"] = shown.iter().map(ticket_json).collect();
        }
        let lines = shown.iter().map(|ticket| {
            let status = if ticket.status == TicketStatus::Revoked { "revoked" } else { "active" };
            let algorithm = ticket.holder.as_ref().map_or(HolderAlgorithm::None, HolderKey::algorithm).name();
            format!("{} serial {} class {} {status} {algorithm}", ticket.ticket, ticket.serial, ticket.class)
        });
        let text = std::iter::once(table(&rows)).chain(lines).collect::<Vec<_>>().join("\n");
        output.say(&text, &value)
    }
}

fn ticket_json(ticket: &ListedTicket) -> Value {
    json!({
        "ticket": ticket.ticket.to_string(),
        "serial": ticket.serial.get(),
        "class": ticket.class.0,
        "status": if ticket.status == TicketStatus::Revoked { "revoked" } else { "active" },
        "algorithm": ticket.holder.as_ref().map_or(HolderAlgorithm::None, HolderKey::algorithm).name(),
        "holder_key": ticket.holder.as_ref().map(parse::show_holder_key),
    })
}
