// The devices of one event, and the enrolment under way. The list is asked for again every few seconds while the view is open; a
// device that scanned our code appears in it as pending.

import { ApiProblem, call } from '../api/client';
import { randomKey } from '../api/key';
import type { Device, Enrolment, LaneInfo } from '../api/types';

const POLL_MS = 2_000;

export class Devices {
  lanes = $state.raw<LaneInfo[] | null>(null);
  devices = $state.raw<Device[] | null>(null);
  failure = $state.raw<unknown>(null);
  /** No lane: for a venue's edge. `untilMs` is on this browser's steady clock: its wall clock may be wrong. */
  enrolment = $state.raw<{ lane: LaneInfo | null; edge: Device | null; qrText: string; untilMs: number; knownBefore: Set<string> } | null>(null);

  constructor(
    readonly eventId: number,
    readonly onLoggedOut: () => void,
    readonly serverNowMs: () => number,
  ) {}

  attach(): () => void {
    let stopped = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const poll = async () => {
      await this.load();
      if (!stopped) timer = setTimeout(() => void poll(), POLL_MS);
    };
    void poll();
    return () => {
      stopped = true;
      clearTimeout(timer);
    };
  }

  async load(): Promise<void> {
    try {
      this.lanes ??= (await call<{ lanes: LaneInfo[] }>('GET', `/api/v1/events/${this.eventId}/lanes`)).lanes;
      this.devices = (await call<{ devices: Device[] }>('GET', `/api/v1/events/${this.eventId}/devices`)).devices;
      this.failure = null;
      const { enrolment } = this;
      if (enrolment && this.devices.some((d) => isFor(d, enrolment.lane) && !enrolment.knownBefore.has(d.id))) this.enrolment = null;
    } catch (failure) {
      if (failure instanceof ApiProblem && failure.status === 401) this.onLoggedOut();
      else this.failure = failure;
    }
  }

  /** Throws what the server or the network said. */
  async enrol(lane: LaneInfo | null, edge: Device | null): Promise<void> {
    const knownBefore = new Set(this.devices?.map((device) => device.id));
    const answer = await call<Enrolment>('POST', `/api/v1/events/${this.eventId}/enrolments`, {
      body: { ...(lane === null ? {} : { lane_id: lane.id }), ...(edge === null ? {} : { edge_id: edge.id }) },
      idempotencyKey: randomKey(),
    });
    const goodForMs = Math.min(Math.max(0, answer.expires_at_ms - this.serverNowMs()), 120_000);
    this.enrolment = { lane, edge, qrText: answer.qr_text, untilMs: performance.now() + goodForMs, knownBefore };
  }

  async confirm(device: Device): Promise<void> {
    await call('POST', `/api/v1/devices/${device.id}/confirm`, { body: { fingerprint: device.fingerprint }, idempotencyKey: randomKey() });
    await this.load();
  }

  async wipe(device: Device): Promise<void> {
    await call('POST', `/api/v1/devices/${device.id}/wipe`, { body: {}, idempotencyKey: randomKey() });
    await this.load();
  }

  /** Lets scans from before the revocation count, and from before `untilMs` where it is given. Says how many, and how many stay. */
  async release(device: Device, untilMs: number | null): Promise<{ released: number; waiting: number }> {
    const body = untilMs === null ? {} : { until_ms: untilMs };
    const answer = await call<{ released: number; waiting: number }>('POST', `/api/v1/devices/${device.id}/release`, { body, idempotencyKey: randomKey() });
    await this.load();
    return answer;
  }

  async revoke(device: Device): Promise<void> {
    await call('POST', `/api/v1/devices/${device.id}/revoke`, { body: {}, idempotencyKey: randomKey() });
    await this.load();
  }
}

const isFor = (device: Device, lane: LaneInfo | null) => (lane === null ? device.kind === 'edge' : device.lane_id === lane.id);
