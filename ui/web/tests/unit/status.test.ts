import { describe, expect, it } from 'vitest';
import type { DeviceStatus, LiveDevice } from '../../src/api/types';
import { catalogues } from '../../src/office/messages';
import { remarks } from '../../src/office/status';

const NOW = 1_800_000_000_000;
const well: DeviceStatus = {
  told_at_ms: NOW - 5_000,
  version: '0.1.0',
  battery_percent: 74,
  charging: false,
  waiting_rows: 0,
  oldest_waiting_ms: 0,
  list_version: 41,
  list_issued_at_ms: NOW - 9 * 60_000,
  list_expires_at_ms: NOW + 12 * 3_600_000,
  policy_version: 3,
  clock_in_doubt: false,
  clock_offset_ms: 120,
  cut_off_s: null,
};
const device = (status: DeviceStatus | null): LiveDevice => ({
  device_id: '00000000000000a1',
  name: 'Handheld 1',
  state: 'confirmed',
  last_contact_ms: NOW - 5_000,
  list_version: 41,
  policy_current: true,
  head_seq: 1,
  status,
});
const said = (change: Partial<DeviceStatus> | null, serverList = 41) =>
  remarks(device(change === null ? null : { ...well, ...change }), serverList, NOW, 'en-GB', catalogues.en).map((r) => `${r.tone} ${r.text.replaceAll('\u00a0', ' ')}`);

describe('what a handheld tells of itself', () => {
  it('is plain while all is well', () => {
    expect(said({})).toEqual(['plain list 41, current, issued 9 min ago', 'plain no scan waits for its receipt', 'plain battery 74 %']);
  });

  it.each([
    [{ battery_percent: 20 }, 'warn battery 20 %: bring power'],
    [{ battery_percent: 10 }, 'bad battery 10 %: bring power or another handheld now'],
    [{ battery_percent: 4, charging: true }, 'plain battery 4 %, charging'],
    [{ waiting_rows: 1, oldest_waiting_ms: 2_000 }, 'plain 1 scan has waited 2 s for its receipt'],
    [{ waiting_rows: 23, oldest_waiting_ms: 140_000 }, 'warn 23 scans wait for their receipt, the oldest for 2 min'],
    [{ list_version: 39 }, 'warn list 39, 2 behind, issued 9 min ago'],
    [{ list_version: null, list_issued_at_ms: null, list_expires_at_ms: null }, 'warn no list yet'],
    [{ list_expires_at_ms: NOW + 30 * 60_000 }, 'warn list 41, current, issued 9 min ago, runs out in 30 min'],
    [{ list_expires_at_ms: NOW }, 'bad list 41, current, issued 9 min ago, has run out: every scan goes to a supervisor'],
    [{ clock_in_doubt: true }, 'bad its clock is in doubt: every scan goes to a supervisor'],
    [{ cut_off_s: 48 }, 'warn has not heard the other lanes for 48 s'],
    [{ told_at_ms: NOW - 120_000 }, 'plain this was so 2 min ago'],
  ])('says of %j: %s', (change, text) => {
    expect(said(change)).toContain(text);
  });

  it('puts the worst first, and says when a program tells nothing', () => {
    expect(said({ battery_percent: 5, cut_off_s: 30 }).map((text) => text.split(' ')[0])).toEqual(['bad', 'warn', 'plain', 'plain']);
    expect(said(null)).toEqual(['plain list 41, current', 'plain tells nothing of battery and waiting scans; its program is an older one']);
    expect(said({ battery_percent: null })).toHaveLength(2);
  });
});
