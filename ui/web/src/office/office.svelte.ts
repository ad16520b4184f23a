// Who is logged in and what is looked at. The address's fragment holds the event and the view, so that reloading and the back button
// do what people expect.

import { ApiProblem, call, NoAnswer } from '../api/client';
import type { EventInfo, SessionInfo } from '../api/types';
import type { Messages } from './messages';

export type Tab = 'lanes' | 'devices' | 'staff';
export type Route = { eventId: number; tab: Tab } | null;

export function parseRoute(hash: string): Route {
  const match = /^#\/events\/(\d{1,10})(?:\/(lanes|devices|staff))?$/.exec(hash);
  return match ? { eventId: Number(match[1]), tab: (match[2] ?? 'lanes') as Tab } : null;
}

export function routeHash(route: Route): string {
  return route ? `#/events/${route.eventId}/${route.tab}` : '#/';
}

/** A failure in the reader's words; the server's own sentence where it has one. */
export function failureText(failure: unknown, t: Messages): string {
  if (failure instanceof NoAnswer) return t.noServer;
  if (failure instanceof ApiProblem && failure.detail !== '' && failure.status < 500) return t.serverSaid(failure.detail);
  return t.serverFailed;
}

export class Office {
  phase = $state<'loading' | 'login' | 'in' | 'unreachable'>('loading');
  session = $state.raw<SessionInfo | null>(null);
  ended = $state(false);
  events = $state.raw<EventInfo[] | null>(null);
  eventsFailure = $state.raw<unknown>(null);
  route = $state.raw<Route>(parseRoute(location.hash));
  event = $derived(this.route ? (this.events?.find((event) => event.id === this.route?.eventId) ?? null) : null);

  attach(): () => void {
    const moved = () => (this.route = parseRoute(location.hash));
    addEventListener('hashchange', moved);
    void this.resume();
    return () => removeEventListener('hashchange', moved);
  }

  async resume(): Promise<void> {
    this.phase = 'loading';
    try {
      await this.#enter(await call<SessionInfo>('GET', '/api/v1/session'));
    } catch (failure) {
      this.phase = failure instanceof ApiProblem && failure.status === 401 ? 'login' : 'unreachable';
    }
  }

  /** Throws what the server or the network said. */
  async login(name: string, password: string): Promise<void> {
    await this.#enter(await call<SessionInfo>('POST', '/api/v1/session', { body: { name, password } }));
  }

  async logout(): Promise<void> {
    await call('DELETE', '/api/v1/session').catch(() => undefined);
    this.session = null;
    this.events = null;
    this.ended = false;
    this.phase = 'login';
  }

  /** The server no longer knows the session. */
  loggedOut = (): void => {
    this.session = null;
    this.ended = true;
    this.phase = 'login';
  };

  async #enter(session: SessionInfo): Promise<void> {
    this.session = session;
    this.ended = false;
    this.phase = 'in';
    await this.loadEvents();
  }

  async loadEvents(): Promise<void> {
    this.eventsFailure = null;
    try {
      this.events = (await call<{ events: EventInfo[] }>('GET', '/api/v1/events')).events;
      if (this.events.length === 1 && this.route === null) this.go({ eventId: this.events[0]!.id, tab: 'lanes' });
    } catch (failure) {
      if (failure instanceof ApiProblem && failure.status === 401) this.loggedOut();
      else this.eventsFailure = failure;
    }
  }

  go(route: Route): void {
    location.hash = routeHash(route);
    this.route = route;
  }
}
