// The server's answers as these pages read them. Times ending in `_ms` are unix milliseconds; ticket and device ids are 16
// lower-case hex digits; bytes are base64url without padding. `npm run api` writes the full OpenAPI types beside this file.

export interface EventInfo {
  id: number;
  name: string;
  venue: string;
  /** IANA name, e.g. `Europe/Berlin`. Every time of the event is shown in it, wherever the reader is. */
  time_zone: string;
  starts_at_ms: number;
  ends_at_ms: number;
}

export interface ClassInfo {
  id: number;
  name: string;
  valid_from_ms: number;
  valid_until_ms: number;
}

export interface HolderTicket {
  ticket_id: string;
  serial: number;
  state: 'unbound' | 'bound';
  event: EventInfo;
  class: ClassInfo;
  printed_code: string | null;
  server_time_ms: number;
}

export type HolderAlgorithm = 'ed25519' | 'p256';

export interface BindingRequest {
  ticket_id: string;
  secret: string;
  algorithm: HolderAlgorithm;
  public_key: string;
  proof: string;
}

export interface BindingAnswer {
  credential: string;
  ticket_id: string;
  serial: number;
  event: EventInfo;
  class: ClassInfo;
  server_time_ms: number;
  full_code_until_ms: number;
}

export interface ServerTime {
  unix_ms: number;
  signed: string;
}

export interface SessionInfo {
  name: string;
  role: string;
}

export interface LaneInfo {
  id: number;
  name: string;
  entrance_id: number;
  entrance: string;
}

export interface Enrolment {
  id: string | number;
  qr_text: string;
  expires_at_ms: number;
}

/** Who may unlock a handheld, by number and PIN. */
export interface LaneStaff {
  number: number;
  name: string;
  role: 'steward' | 'supervisor';
  changed_at_ms: number;
}

export type DeviceState = 'pending' | 'confirmed' | 'revoked' | 'expired' | 'wiped';

export interface Device {
  id: string;
  /** A venue's edge has no lane. */
  kind: 'lane' | 'edge';
  /** The edge that brings its scans; null while it talks to the server itself. */
  edge_id: string | null;
  name: string;
  lane_id: number;
  lane: string;
  state: DeviceState;
  fingerprint: string;
  enrolled_at_ms: number;
  last_contact_ms: number | null;
  list_version: number | null;
  lease_until_ms: number | null;
  /** When it was first given the word to wipe itself. */
  wipe_sent_at_ms: number | null;
  revoked_at_ms: number | null;
  /** Its scans that came after the revocation and count for nothing yet. */
  quarantined: number;
  releases: { released_at_ms: number; scans: number; released_by: string }[];
}

/** What a handheld told of itself, and when; what follows was so then. */
export interface DeviceStatus {
  told_at_ms: number;
  version: string;
  battery_percent: number | null;
  charging: boolean;
  waiting_rows: number;
  oldest_waiting_ms: number;
  list_version: number | null;
  list_issued_at_ms: number | null;
  list_expires_at_ms: number | null;
  policy_version: number;
  clock_in_doubt: boolean;
  clock_offset_ms: number;
  cut_off_s: number | null;
}

export interface LiveDevice {
  device_id: string;
  name: string;
  state: DeviceState;
  last_contact_ms: number | null;
  list_version: number | null;
  /** It decides by all that was decided: by its own word, or else it was sent it. */
  policy_current: boolean;
  head_seq: number | null;
  /** None where its program tells nothing. */
  status: DeviceStatus | null;
}

export interface RefusalCount {
  reason: string;
  /** The server's English sentence for staff. */
  sentence: string;
  count: number;
}

export interface LaneMinute {
  minute_ms: number;
  admitted: number;
  refused: number;
}

export interface LiveLane {
  lane_id: number;
  lane: string;
  entrance: string;
  closed: boolean;
  direction: 'in' | 'out';
  /** Those that pass here now; none named means all. */
  classes: number[];
  devices: LiveDevice[];
  totals: { admitted: number; refused: number; review: number };
  per_minute: { admitted: number; refused: number; review: number; refusals: RefusalCount[] };
  history: LaneMinute[];
  /** Of the last ten minutes' scans; none where they say too little. */
  gaps: { median_ms: number | null; queue: boolean | null };
}

export interface ConflictPassage {
  device_id: string;
  device: string;
  lane_id: number;
  lane: string;
  at_ms: number;
  uncertainty_ms: number;
  direction: 'in' | 'out';
  guests: number;
}

export interface Conflict {
  ticket_id: string;
  class: number;
  class_name: string;
  allowed: number;
  most_inside: number;
  passages: ConflictPassage[];
}

export interface TicketClass {
  id: number;
  name: string;
}

export type Decided =
  | { kind: 'lane_closed'; lane_id: number }
  | { kind: 'lane_opened'; lane_id: number }
  | { kind: 'lane_classes'; lane_id: number; classes: number[] }
  | { kind: 'lane_direction'; lane_id: number; direction: 'in' | 'out' }
  | { kind: 'partition'; class: number | null; partition: 'strict' | 'bounded' | 'open' }
  | { kind: 'unlisted_printed'; unlisted_printed: 'refuse' | 'review' | 'admit' }
  | { kind: 'freshness_steps'; freshness_steps: number }
  | { kind: 'message'; lanes: number[]; text: string };

export interface Decision {
  id: number;
  decision: Decided;
  made_at_ms: number;
  until_ms: number;
  made_by: string;
}

export interface LiveSnapshot {
  now_ms: number;
  list: { version: number; tickets: number };
  lanes: LiveLane[];
  classes: TicketClass[];
  decisions: Decision[];
  conflicts: Conflict[];
  /** At a venue's edge: when the organiser's server last said that it hears all, and how many scans wait for its receipt. */
  upstream?: { heard_at_ms: number | null; waiting_rows: number };
}

/** One entrance of the evening: guests a minute from `first_minute` on, counted from the doors' opening. */
export interface EveningEntrance {
  entrance_id: number;
  name: string;
  first_minute: number;
  planned: number[];
  /** Until now. */
  real: number[];
  /** None while the plan does not speak of now. */
  standing: {
    pace: 'ahead' | 'as_planned' | 'behind';
    admitted: number;
    admitted_planned: number;
    waiting: number;
    /** How long somebody waits who comes now; none where it is not known. */
    wait_s: number | null;
    expected_p95_wait_s: number | null;
  } | null;
}

export interface EveningBody {
  now_ms: number;
  doors_open_at_ms: number;
  p95_wait_s: number;
  entrances: EveningEntrance[];
  warnings: {
    entrance_id: number;
    entrance: string;
    expected_p95_wait_s: number | null;
    left_outside: number;
    from_ms: number;
    lanes_more: number | null;
    like_lane: string | null;
  }[];
  service_s: number | null;
  service_measured: boolean;
}

/** An `application/problem+json` body. */
export interface ProblemBody {
  type?: string;
  title?: string;
  status?: number;
  detail?: string;
  code?: string;
}
