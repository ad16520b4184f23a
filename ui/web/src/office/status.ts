// What a handheld told of itself, in words, the worst first. Pure. Ages are on the server's clock, as in contact.ts: what was told
// some time ago was so then, and is shown with its age.

import type { DeviceStatus, LiveDevice } from '../api/types';
import { formatSpan } from '../shared/when';
import { listLag } from './contact';
import type { Messages } from './messages';

export type Tone = 'plain' | 'warn' | 'bad';
export interface Remark {
  key: string;
  tone: Tone;
  text: string;
}

export const LOW_PERCENT = 20;
export const EMPTY_PERCENT = 10;
/** Scans normally have their receipt within a second. */
export const WAITING_LONG_MS = 60_000;
/** It is told every 15 s: after three times that, it is old. */
export const TOLD_LONG_AGO_MS = 45_000;
/** A list is renewed long before it runs out. */
export const RUNS_OUT_SOON_MS = 60 * 60_000;

const ORDER: Tone[] = ['bad', 'warn', 'plain'];

export function remarks(device: LiveDevice, serverListVersion: number, serverNowMs: number, locale: string, t: Messages): Remark[] {
  const span = (ms: number) => formatSpan(ms, locale);
  const list = listRemark(device, serverListVersion, serverNowMs, span, t);
  const { status } = device;
  if (status === null) return sorted([list, { key: 'silent', tone: 'plain', text: t.status.silent }]);
  const said: Remark[] = [list, waiting(status, span, t)];
  if (status.battery_percent !== null) said.push(battery(status.battery_percent, status.charging, t));
  if (status.clock_in_doubt) said.push({ key: 'clock', tone: 'bad', text: t.status.clockInDoubt });
  if (status.cut_off_s !== null) said.push({ key: 'cut-off', tone: 'warn', text: t.status.cutOff(span(status.cut_off_s * 1000)) });
  const toldMs = serverNowMs - status.told_at_ms;
  if (toldMs > TOLD_LONG_AGO_MS) said.push({ key: 'told', tone: 'plain', text: t.status.toldAgo(span(toldMs)) });
  return sorted(said);
}

function sorted(said: Remark[]): Remark[] {
  return said.sort((a, b) => ORDER.indexOf(a.tone) - ORDER.indexOf(b.tone));
}

/** Its own word on the list goes over what it was sent: a gate sets aside what it cannot believe. */
function listRemark(device: LiveDevice, serverVersion: number, nowMs: number, span: (ms: number) => string, t: Messages): Remark {
  const { status } = device;
  const version = status === null ? device.list_version : status.list_version;
  const lag = listLag(version, serverVersion);
  if (version === null || lag === null) return { key: 'list', tone: status === null ? 'plain' : 'warn', text: t.lanes.listNone };
  const words = [lag > 0 ? t.lanes.listBehind(version, lag) : t.lanes.listCurrent(version)];
  let tone: Tone = lag > 0 ? 'warn' : 'plain';
  if (status?.list_issued_at_ms != null) words.push(t.status.listAge(span(Math.max(0, nowMs - status.list_issued_at_ms))));
  if (status?.list_expires_at_ms != null) {
    const leftMs = status.list_expires_at_ms - nowMs;
    if (leftMs <= 0) words.push(t.status.listRanOut);
    else if (leftMs < RUNS_OUT_SOON_MS) words.push(t.status.listRunsOut(span(leftMs)));
    if (leftMs <= 0) tone = 'bad';
    else if (leftMs < RUNS_OUT_SOON_MS) tone = 'warn';
  }
  return { key: 'list', tone, text: words.join(', ') };
}

function waiting(status: DeviceStatus, span: (ms: number) => string, t: Messages): Remark {
  if (status.waiting_rows === 0) return { key: 'receipts', tone: 'plain', text: t.status.allReceipted };
  const tone = status.oldest_waiting_ms > WAITING_LONG_MS ? 'warn' : 'plain';
  return { key: 'receipts', tone, text: t.status.waiting(status.waiting_rows, span(status.oldest_waiting_ms)) };
}

function battery(percent: number, charging: boolean, t: Messages): Remark {
  if (charging) return { key: 'battery', tone: 'plain', text: t.status.charging(percent) };
  if (percent <= EMPTY_PERCENT) return { key: 'battery', tone: 'bad', text: t.status.batteryEmpty(percent) };
  if (percent <= LOW_PERCENT) return { key: 'battery', tone: 'warn', text: t.status.batteryLow(percent) };
  return { key: 'battery', tone: 'plain', text: t.status.battery(percent) };
}
