// The evening against its plan, asked for while the page shows it. The server plays it anew every quarter minute at most.

import { ApiProblem, call } from '../api/client';
import type { EveningBody } from '../api/types';

const POLL_MS = 15_000;
const AGAIN_MS = 5_000;

export class Evening {
  /** Null until the first answer; `none` where the event has no plan. */
  body = $state.raw<EveningBody | 'none' | null>(null);
  failure = $state.raw<unknown>(null);

  constructor(
    readonly eventId: number,
    readonly onLoggedOut: () => void,
  ) {}

  attach(): () => void {
    let stopped = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const poll = async () => {
      await this.load();
      if (!stopped) timer = setTimeout(() => void poll(), this.failure === null ? POLL_MS : AGAIN_MS);
    };
    void poll();
    return () => {
      stopped = true;
      clearTimeout(timer);
    };
  }

  async load(): Promise<void> {
    try {
      this.body = await call<EveningBody>('GET', `/api/v1/events/${this.eventId}/plan/evening`);
      this.failure = null;
    } catch (failure) {
      if (failure instanceof ApiProblem && failure.status === 401) return this.onLoggedOut();
      if (failure instanceof ApiProblem && failure.status === 404) {
        this.body = 'none';
        this.failure = null;
      } else this.failure = failure;
    }
  }
}
