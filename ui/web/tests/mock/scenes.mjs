// A busy evening for the office page: a lane in full flow, one gone quiet, one lost, one without a device; a device waiting to be
// confirmed; a ticket admitted twice.
export function busyNight(world) {
  const now = Date.now();
  const minute = 60_000;
  world.lanes = [1, 2, 3, 4].map((id) => ({ id, name: `Lane ${id}`, entrance_id: id < 3 ? 1 : 2, entrance: id < 3 ? 'River gate' : 'Bridge gate' }));
  const history = (scale) =>
    Array.from({ length: 30 }, (_, i) => ({
      minute_ms: Math.floor(now / minute - 29 + i) * minute,
      admitted: Math.round(scale * (8 + 7 * Math.sin(i / 4) + ((i * 7) % 5))),
      refused: Math.round(scale * ((i * 3) % 7 === 0 ? 3 : i % 2)),
    }));
  const device = (n, ago, list) => ({ device_id: `00000000000000a${n}`, name: `Handheld ${n}`, state: 'confirmed', last_contact_ms: now - ago, list_version: list, policy_current: ago < 60_000, head_seq: 400 + n, status: n === 3 ? null : statusOf(n, ago, list) });
  // The first is well, the second runs low and has been quiet, the third's program tells nothing.
  const statusOf = (n, ago, list) => ({ told_at_ms: now - ago, version: '0.1.0', battery_percent: n === 1 ? 74 : 17, charging: false, waiting_rows: n === 1 ? 0 : 23, oldest_waiting_ms: n === 1 ? 0 : 140_000,
    list_version: list, list_issued_at_ms: now - 9 * minute, list_expires_at_ms: now + 12 * 60 * minute, policy_version: 3, clock_in_doubt: false, clock_offset_ms: 120, cut_off_s: n === 1 ? null : 48 });
  const lane = (id, devices, admitted, refusals, scale) => ({
    lane_id: id,
    lane: `Lane ${id}`,
    entrance: world.lanes[id - 1].entrance,
    closed: id === 4,
    direction: id === 3 ? 'out' : 'in',
    classes: id === 2 ? [3] : [],
    devices,
    totals: { admitted: Math.round(1204 * scale), refused: Math.round(61 * scale), review: Math.round(9 * scale) },
    per_minute: { admitted, refused: refusals.reduce((sum, r) => sum + r.count, 0), review: scale > 0.9 ? 1 : 0, refusals },
    history: scale > 0 ? history(scale) : [],
    gaps: id === 4 ? { median_ms: null, queue: null } : { median_ms: [5_600, 11_400, 31_000][id - 1], queue: id === 1 ? true : id === 2 ? false : null },
  });
  const lanes = [
    lane(1, [device(1, 2_000, 41)], 17, [
      { reason: 'used', sentence: 'This ticket was already admitted.', count: 2 },
      { reason: 'stale', sentence: 'This code is too old: a screenshot, or a phone with a wrong clock.', count: 1 },
    ], 1),
    lane(2, [device(2, 95_000, 39)], 6, [], 0.5),
    lane(3, [device(3, 7.4 * minute, 36)], 0, [], 0.3),
    lane(4, [], 0, [], 0),
  ];
  const admission = (n, ago, uncertainty) => ({ device_id: `00000000000000a${n}`, device: `Handheld ${n}`, lane_id: n, lane: `Lane ${n}`, at_ms: now - ago, uncertainty_ms: uncertainty, direction: 'in', guests: 1 });
  const conflicts = [{ ticket_id: '5f0b8c21d7e94a63', class: 3, class_name: 'Parkett links', allowed: 1, most_inside: 2, passages: [admission(1, 9 * minute, 120), admission(3, 6.2 * minute, 1_400)] }];
  world.staff = [
    { number: 3, name: 'South door, evening shift', role: 'steward', changed_at_ms: now - 60 * minute, pin: '73915208' },
    { number: 7, name: 'North door', role: 'supervisor', changed_at_ms: now - 90 * minute, pin: '482915' },
  ];
  world.decisions = [
    { id: 1, decision: { kind: 'lane_closed', lane_id: 4 }, made_at_ms: now - 20 * minute, until_ms: now + 40 * minute, made_by: 'ines' },
    { id: 2, decision: { kind: 'lane_classes', lane_id: 2, classes: [3] }, made_at_ms: now - 12 * minute, until_ms: now + 48 * minute, made_by: 'ines' },
  ];
  world.snapshot = () => ({ now_ms: Date.now(), list: { version: 41, tickets: 4812 }, lanes, classes: [{ id: 3, name: 'Parkett links' }, { id: 4, name: 'Parkett rechts' }], decisions: world.decisions.map(({ key: _, ...made }) => made), conflicts });
  world.devices = [
    { id: '00000000000000a5', name: 'Handheld 5', lane_id: 4, lane: 'Lane 4', state: 'pending', fingerprint: '7QX2-M0FD-8KZR-41TV', enrolled_at_ms: now - 4_000, last_contact_ms: now - 1_000, list_version: null, lease_until_ms: null },
    ...[1, 2, 3].map((n) => ({ id: `00000000000000a${n}`, name: `Handheld ${n}`, lane_id: n, lane: `Lane ${n}`, state: 'confirmed', fingerprint: ['B8G0-QY5W-2N6H-ZK9C', '3JTR-0VX8-D1M4-PE7A', 'H5SZ-96WB-QC2N-0K8G'][n - 1], enrolled_at_ms: now - 5 * 60 * minute, last_contact_ms: lanes[n - 1].devices[0].last_contact_ms, list_version: 41 - n, lease_until_ms: now + 7 * 60 * minute })),
    { id: '00000000000000a9', name: 'Handheld 9', lane_id: 1, lane: 'Lane 1', state: 'revoked', fingerprint: 'XT41-0C9E-R7YM-8V2B', enrolled_at_ms: now - 30 * 60 * minute, last_contact_ms: now - 26 * 60 * minute, list_version: 12, lease_until_ms: now - 18 * 60 * minute, revoked_at_ms: now - 40 * minute, quarantined: 14, releases: [] },
  ];
  // Doors opened 45 minutes ago. More come to the river gate than planned; at the bridge all goes as it should.
  const planned = (guests) => Array.from({ length: 120 }, (_, i) => Math.round(guests * 10 * (i < 10 || i > 105 ? 0 : Math.sin(((i - 10) / 95) * Math.PI) ** 2 / 47.5)) / 10);
  const real = (guests, scale) => planned(guests).slice(0, 56).map((n, i) => Math.round(n * scale + (((i * 7) % 5) - 2) * (n > 3 ? 1 : 0)));
  world.evening = () => ({
    now_ms: Date.now(),
    doors_open_at_ms: Math.floor((Date.now() - 45 * minute) / minute) * minute,
    p95_wait_s: 600,
    service_s: 6.4,
    service_measured: true,
    entrances: [
      { entrance_id: 1, name: 'River gate', first_minute: -10, planned: planned(3900), real: real(3900, 1.12), standing: { pace: 'ahead', admitted: 2311, admitted_planned: 2063.4, waiting: 148, wait_s: 291, expected_p95_wait_s: 830 } },
      { entrance_id: 2, name: 'Bridge gate', first_minute: -10, planned: planned(912), real: real(912, 0.98), standing: { pace: 'as_planned', admitted: 473, admitted_planned: 482, waiting: 0, wait_s: 0, expected_p95_wait_s: 120 } },
    ],
    warnings: [{ entrance_id: 1, entrance: 'River gate', expected_p95_wait_s: 830, left_outside: 0, from_ms: Date.now() + 12 * minute, lanes_more: 1, like_lane: 'Lane 1' }],
  });
  return world;
}
