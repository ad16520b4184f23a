// The live feed of one event: server-sent events, reconnected for as long as the page is open, and honest about its age. A
// connection that stays open and says nothing is as dead as a closed one: the server speaks at least every 5 s.

import { call, ApiProblem } from '../api/client';
import type { LiveSnapshot, SessionInfo } from '../api/types';

export type LinkState = 'connecting' | 'live' | 'reconnecting';

export const SILENCE_MS = 15_000;
const BACKOFF_MS = [500, 1_000, 2_000, 4_000, 8_000, 15_000];

export class LiveFeed {
  snapshot = $state.raw<LiveSnapshot | null>(null);
  link = $state<LinkState>('connecting');
  /** Ticks four times a second, so that ages on the page do. */
  steadyMs = $state(performance.now());
  /** Time since the last snapshot, or null before the first. */
  ageMs = $derived.by(() => (this.snapshot === null ? null : Math.max(0, this.steadyMs - this.#heardMs)));
  /** The server's clock now, as far as the last snapshot tells. */
  serverNowMs = $derived.by(() => (this.snapshot === null ? Date.now() : this.snapshot.now_ms + (this.ageMs ?? 0)));

  #heardMs = $state(0);
  #openedMs = 0;
  #source: EventSource | null = null;
  #failures = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #stopped = false;

  constructor(
    readonly eventId: number,
    readonly onLoggedOut: () => void,
  ) {}

  /** Starts; the answer stops it. */
  start(): () => void {
    const tick = setInterval(() => this.#tick(), 250);
    const online = () => this.#reopen(0);
    addEventListener('online', online);
    this.#open();
    return () => {
      this.#stopped = true;
      clearInterval(tick);
      clearTimeout(this.#timer);
      removeEventListener('online', online);
      this.#source?.close();
    };
  }

  #open(): void {
    if (this.#stopped) return;
    this.#source?.close();
    this.#openedMs = performance.now();
    const source = new EventSource(`/api/v1/events/${this.eventId}/live`);
    this.#source = source;
    source.addEventListener('snapshot', (message: MessageEvent<string>) => {
      try {
        this.snapshot = JSON.parse(message.data) as LiveSnapshot;
      } catch {
        return this.#reopen(this.#nextDelay());
      }
      this.#heardMs = performance.now();
      this.steadyMs = this.#heardMs;
      this.#failures = 0;
      this.link = 'live';
    });
    source.onerror = () => {
      if (source !== this.#source) return;
      void this.#whyClosed();
      this.#reopen(this.#nextDelay());
    };
  }

  #nextDelay(): number {
    return BACKOFF_MS[Math.min(this.#failures++, BACKOFF_MS.length - 1)]!;
  }

  #reopen(delayMs: number): void {
    if (this.#stopped) return;
    this.#source?.close();
    this.link = 'reconnecting';
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#open(), delayMs);
  }

  /** An EventSource hides the status. If the session is over, reconnecting would go on for ever. */
  async #whyClosed(): Promise<void> {
    try {
      await call<SessionInfo>('GET', '/api/v1/session');
    } catch (failure) {
      if (failure instanceof ApiProblem && failure.status === 401 && !this.#stopped) this.onLoggedOut();
    }
  }

  #tick(): void {
    this.steadyMs = performance.now();
    const silentMs = this.steadyMs - Math.max(this.#heardMs, this.#openedMs);
    if (this.#source && this.#source.readyState !== EventSource.CLOSED && silentMs > SILENCE_MS) this.#reopen(0);
  }
}
