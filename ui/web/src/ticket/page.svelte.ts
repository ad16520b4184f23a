// What the ticket page shows, and why. One closed set of views; every way into a view goes through this class. Nothing here binds a
// ticket but `bind()`, which only the button calls: link previews open links.

import { ApiProblem, call, NoAnswer } from '../api/client';
import type { HolderTicket, ServerTime } from '../api/types';
import { AnswerMismatch, browserPorts, prepareBinding, retryDelayMs, sendBinding, type BindingPorts } from './binding';
import { judge, JumpWatch, measure, type ClockFix, type ClockJudgement } from './clock';
import { parseFragment, type TicketLink } from './link';
import type { TroubleKind } from './messages';
import { openStore, StorageRefused, type Bound, type TicketRecord, type TicketStore } from './store';

export type View =
  | { kind: 'loading' }
  | { kind: 'list'; records: TicketRecord[] }
  | { kind: 'offer'; link: TicketLink; info: HolderTicket; replaces: boolean }
  | { kind: 'asking'; record: TicketRecord; attempt: number; nextTryAtMs: number | null; busy: boolean; stopped: boolean }
  | { kind: 'code'; record: TicketRecord; bound: Bound; linkUnchecked: boolean }
  | { kind: 'trouble'; what: TroubleKind; record: TicketRecord | null; canRetry: boolean };

const TIME_EVERY_MS = 5 * 60_000;

export class TicketPage {
  view = $state.raw<View>({ kind: 'loading' });
  records = $state.raw<TicketRecord[]>([]);
  fix = $state.raw<ClockFix | null>(null);
  jumped = $state(false);

  #store: TicketStore | null = null;
  #ports: BindingPorts | null = null;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  /** Raised whenever another link is opened, so that a late answer for the previous one changes nothing. */
  #visit = 0;
  #watch = new JumpWatch(Date.now(), performance.now());
  #wasHidden = false;

  async open(): Promise<void> {
    clearTimeout(this.#retryTimer);
    const visit = ++this.#visit;
    this.view = { kind: 'loading' };
    if (!globalThis.isSecureContext || !globalThis.crypto?.subtle) return this.#trouble('no_crypto', null, false);
    try {
      this.#store ??= await openStore();
      this.#ports ??= browserPorts(this.#store);
      this.fix ??= await this.#store.clockFix();
      await this.#refreshRecords();
    } catch {
      return this.#trouble('no_storage', null, false);
    }
    if (visit !== this.#visit) return;
    void this.syncTime();
    const fragment = parseFragment(location.hash);
    switch (fragment.kind) {
      case 'broken':
        return this.#trouble('broken_link', null, false);
      case 'none':
        return this.#openAny();
      case 'ticket':
        return this.#openKept(fragment.ticketId, visit);
      case 'link':
        return this.#openLink(fragment.link, visit);
    }
  }

  // ---- tickets that are here --------------------------------------------------------------------------------------------------

  #openAny(): void {
    if (this.records.length === 0) return this.#trouble('no_ticket', null, false);
    if (this.records.length > 1) this.view = { kind: 'list', records: this.records };
    else this.goTo(this.records[0]!.ticketId);
  }

  async #openKept(ticketId: string, visit: number): Promise<void> {
    const record = this.records.find((r) => r.ticketId === ticketId);
    if (!record) return this.records.length > 0 ? this.#openAny() : this.#trouble('no_ticket', null, false);
    if (record.bound) {
      this.#showBound(record, record.bound);
      void this.#recheck(record, record.bound, visit);
    } else if (record.asking) {
      await this.#ask(record, 0, visit);
    }
  }

  #showBound(record: TicketRecord, bound: Bound, linkUnchecked = false): void {
    if (record.ended) return this.#trouble(record.ended, record, false);
    this.view = { kind: 'code', record, bound, linkUnchecked };
  }

  /** A kept ticket may have been moved, cancelled or issued anew. Without a network it stays as it is. */
  async #recheck(record: TicketRecord, bound: Bound, visit: number): Promise<void> {
    let next: TicketRecord;
    try {
      const info = await this.#askInfo({ ticketId: record.ticketId, secret: bound.secret });
      const { ended: _ended, ...rest } = record;
      next = { ...rest, bound: { ...bound, event: info.event, class: info.class } };
    } catch (failure) {
      const ended = endOf(failure);
      if (!ended) return;
      next = { ...record, ended };
    }
    if (visit !== this.#visit) return;
    await this.#store?.put(next);
    if (visit === this.#visit && next.bound) this.#showBound(next, next.bound);
    await this.#refreshRecords();
  }

  // ---- links ------------------------------------------------------------------------------------------------------------------

  async #openLink(link: TicketLink, visit: number): Promise<void> {
    const record = this.records.find((r) => r.ticketId === link.ticketId) ?? null;
    if (record?.bound?.secret === link.secret) return this.goTo(link.ticketId);
    if (record?.asking?.secret === link.secret) return this.#ask(record, 0, visit);
    try {
      const info = await this.#askInfo(link);
      if (visit !== this.#visit) return;
      if (info.state === 'bound') return this.#trouble('on_another_phone', record?.bound ? record : null, false);
      this.view = { kind: 'offer', link, info, replaces: record?.bound !== undefined };
    } catch (failure) {
      if (visit !== this.#visit) return;
      if (failure instanceof NoAnswer && record?.bound) return this.#showBound(record, record.bound, true);
      this.#failed(failure, record?.bound ? record : null);
    }
  }

  async #askInfo(link: TicketLink): Promise<HolderTicket> {
    const askedAtMs = Date.now();
    const info = await call<HolderTicket>('POST', '/api/v1/holder/ticket', { body: { ticket_id: link.ticketId, secret: link.secret } });
    await this.#takeFix(measure(info.server_time_ms, askedAtMs, Date.now()));
    return info;
  }

  // ---- binding ----------------------------------------------------------------------------------------------------------------

  /** The guest tapped the button. */
  async bind(): Promise<void> {
    if (this.view.kind !== 'offer' || !this.#ports) return;
    const { link, info } = this.view;
    const visit = this.#visit;
    try {
      const record = await prepareBinding(this.#ports, link, info);
      // Best effort: asks the browser not to clear what it keeps for us when space runs out.
      void navigator.storage?.persist?.().catch(() => false);
      await this.#ask(record, 0, visit);
    } catch (failure) {
      this.#failed(failure, null);
    }
  }

  /** The guest does not want to wait for the next try. */
  async askNow(): Promise<void> {
    if (this.view.kind === 'asking' && this.view.nextTryAtMs === null && !this.view.stopped) return;
    if (this.view.kind === 'asking') await this.#ask(this.view.record, 0, this.#visit, true);
  }

  async #ask(record: TicketRecord, attempt: number, visit: number, again = attempt > 0): Promise<void> {
    if (!this.#ports) return;
    clearTimeout(this.#retryTimer);
    this.view = { kind: 'asking', record, attempt: again ? Math.max(1, attempt) : 0, nextTryAtMs: null, busy: false, stopped: false };
    try {
      const { record: done, fix } = await sendBinding(this.#ports, record);
      await this.#takeFix(fix);
      await this.#refreshRecords();
      if (visit === this.#visit) this.goTo(done.ticketId);
    } catch (failure) {
      if (visit !== this.#visit) return;
      await this.#askFailed(failure, record, attempt, visit);
    }
  }

  async #askFailed(failure: unknown, record: TicketRecord, attempt: number, visit: number): Promise<void> {
    const delay = retryDelayMs(failure, attempt);
    const busy = failure instanceof ApiProblem;
    if (delay !== null) {
      this.view = { kind: 'asking', record, attempt: attempt + 1, nextTryAtMs: Date.now() + delay, busy, stopped: false };
      this.#retryTimer = setTimeout(() => void this.#ask(record, attempt + 1, visit), delay);
      return;
    }
    if (failure instanceof NoAnswer || (busy && (failure.status >= 500 || failure.status === 429 || failure.status === 408))) {
      this.view = { kind: 'asking', record, attempt: attempt + 1, nextTryAtMs: null, busy, stopped: true };
      return;
    }
    if (failure instanceof ApiProblem && failure.code === 'key_refused' && record.asking?.key.algorithm === 'ed25519') {
      return this.#askWithP256(record, visit);
    }
    // The server has decided: what was asked for will not be, so it is not kept.
    const { asking: _asking, ...rest } = record;
    if (rest.bound) await this.#store?.put(rest);
    else if (failure instanceof ApiProblem) await this.#store?.remove(record.ticketId);
    await this.#refreshRecords();
    this.#failed(failure, rest.bound ? rest : null);
  }

  async #askWithP256(record: TicketRecord, visit: number): Promise<void> {
    const asking = record.asking;
    if (!asking || !this.#ports) return;
    try {
      const link = { ticketId: record.ticketId, secret: asking.secret };
      const next = await prepareBinding(this.#ports, link, { event: asking.event, class: asking.class } as HolderTicket, ['p256']);
      await this.#ask(next, 0, visit);
    } catch (failure) {
      this.#failed(failure, null);
    }
  }

  #failed(failure: unknown, record: TicketRecord | null): void {
    const [what, canRetry] = troubleOf(failure);
    this.#trouble(what, record, canRetry);
  }

  #trouble(what: TroubleKind, record: TicketRecord | null, canRetry: boolean): void {
    this.view = { kind: 'trouble', what, record, canRetry };
  }

  /** The code screen could not sign. */
  keyLost(record: TicketRecord): void {
    this.#trouble('key_lost', record, false);
  }

  async remove(ticketId: string): Promise<void> {
    await this.#store?.remove(ticketId);
    this.goTo(null);
  }

  /** Shows a kept ticket, or the list. The address then holds no secret. */
  goTo(ticketId: string | null): void {
    history.replaceState(null, '', ticketId === null ? '/t' : `/t#${ticketId}`);
    void this.open();
  }

  async #refreshRecords(): Promise<void> {
    this.records = (await this.#store?.all()) ?? [];
  }

  // ---- the clock --------------------------------------------------------------------------------------------------------------

  judge(): ClockJudgement {
    return judge(this.fix, this.jumped, Date.now());
  }

  async #takeFix(fix: ClockFix | null): Promise<void> {
    if (!fix) return;
    this.fix = fix;
    this.jumped = false;
    await this.#store?.putClockFix(fix).catch(() => undefined);
  }

  async syncTime(): Promise<void> {
    try {
      const askedAtMs = Date.now();
      const time = await call<ServerTime>('GET', '/api/v1/time');
      await this.#takeFix(measure(time.unix_ms, askedAtMs, Date.now()));
    } catch {
      // Without a network the last offset stands.
    }
  }

  /** Called every second or so, and when the page is shown again. */
  watchClock(): void {
    if (document.hidden) {
      this.#wasHidden = true;
      return;
    }
    if (this.#watch.check(Date.now(), performance.now(), this.#wasHidden)) {
      this.jumped = true;
      void this.syncTime();
    }
    this.#wasHidden = false;
  }

  /** Starts listening to the browser; the answer stops it. */
  attach(): () => void {
    const opened = () => void this.open();
    const online = () => {
      void this.syncTime();
      if (this.view.kind === 'asking') void this.askNow();
      else if (this.view.kind === 'trouble' && this.view.what === 'offline') void this.open();
    };
    const shown = () => {
      this.watchClock();
      if (!document.hidden) void this.syncTime();
    };
    const clock = setInterval(() => this.watchClock(), 1_000);
    const time = setInterval(() => void this.syncTime(), TIME_EVERY_MS);
    addEventListener('hashchange', opened);
    addEventListener('online', online);
    document.addEventListener('visibilitychange', shown);
    void this.open();
    return () => {
      clearInterval(clock);
      clearInterval(time);
      clearTimeout(this.#retryTimer);
      removeEventListener('hashchange', opened);
      removeEventListener('online', online);
      document.removeEventListener('visibilitychange', shown);
    };
  }
}

function endOf(failure: unknown): 'revoked' | 'superseded' | null {
  if (!(failure instanceof ApiProblem)) return null;
  if (failure.code === 'ticket_revoked') return 'revoked';
  return failure.code === 'link_superseded' ? 'superseded' : null;
}

/** The screen for a failure, and whether trying again by a tap makes sense. */
export function troubleOf(failure: unknown): [TroubleKind, boolean] {
  if (failure instanceof NoAnswer) return ['offline', true];
  if (failure instanceof StorageRefused) return ['no_storage', false];
  if (failure instanceof AnswerMismatch) return ['mismatch', true];
  if (!(failure instanceof ApiProblem)) return ['key_lost', false];
  const ended = endOf(failure);
  if (ended) return [ended, false];
  if (failure.code === 'link_used') return ['on_another_phone', false];
  if (failure.code === 'key_refused') return ['key_refused', false];
  if (failure.status === 410) return ['superseded', false];
  if (failure.status === 403 || failure.status === 404 || failure.status === 400) return ['link_invalid', false];
  return ['server', true];
}
