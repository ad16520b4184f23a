// Puts a ticket on this phone. The order is what matters: the key is in storage, read back and proven able to sign, before the
// server hears of it. A reply that gets lost is then asked for again with the same key, and the server gives the same answer. What
// the server sends is checked against what was asked before it replaces anything.

import { ApiProblem, call, NoAnswer } from '../api/client';
import type { BindingAnswer, BindingRequest, HolderTicket } from '../api/types';
import { equalBytes, fromBase64Url, toBase64Url } from '../shared/bytes';
import { bindingMessage, keySlot, parseCredential, type Algorithm } from './code';
import { measure, type ClockFix } from './clock';
import { makeHolderKey, signProof, stillSigns, type HolderKey } from './keys';
import { secretHash, type TicketLink } from './link';
import { StorageRefused, type Asking, type TicketRecord, type TicketStore } from './store';

/** The server's answer does not fit the question: another ticket, another key, a credential that cannot be read. */
export class AnswerMismatch extends Error {
  override readonly name = 'AnswerMismatch';
}

export interface BindingPorts {
  store: TicketStore;
  makeKey: (algorithm: Algorithm) => Promise<HolderKey>;
  keyWorks: (key: HolderKey) => Promise<boolean>;
  send: (request: BindingRequest) => Promise<BindingAnswer>;
  phoneNowMs: () => number;
}

export function browserPorts(store: TicketStore): BindingPorts {
  return {
    store,
    makeKey: makeHolderKey,
    keyWorks: stillSigns,
    send: (body) => call<BindingAnswer>('POST', '/api/v1/holder/binding', { body }),
    phoneNowMs: () => Date.now(),
  };
}

/** Makes a key and keeps it, so that there is something to ask with. Reuses the key of an earlier try with the same link. */
export async function prepareBinding(ports: BindingPorts, link: TicketLink, info: HolderTicket, algorithms: Algorithm[] = ['ed25519', 'p256']): Promise<TicketRecord> {
  const before = (await ports.store.get(link.ticketId)) ?? { ticketId: link.ticketId };
  if (before.asking?.secret === link.secret && algorithms.includes(before.asking.key.algorithm) && (await ports.keyWorks(before.asking.key))) return before;
  let refused: unknown = null;
  for (const algorithm of algorithms) {
    try {
      const key = await ports.makeKey(algorithm);
      const asking: Asking = { secret: link.secret, key, event: info.event, class: info.class, askedAtMs: ports.phoneNowMs() };
      await ports.store.put({ ...before, asking });
      const kept = await ports.store.get(link.ticketId);
      if (kept?.asking && (await ports.keyWorks(kept.asking.key))) return kept;
      refused = new StorageRefused(`the browser returned a ${algorithm} key that cannot sign`);
    } catch (cause) {
      refused = cause;
    }
  }
  throw refused instanceof StorageRefused ? refused : new StorageRefused('the browser could not make or keep a key', { cause: refused });
}

export interface BindingDone {
  record: TicketRecord;
  fix: ClockFix | null;
}

/** Sends the binding that `record` asks for, once. Throws `NoAnswer` when asking again makes sense. */
export async function sendBinding(ports: BindingPorts, record: TicketRecord): Promise<BindingDone> {
  const asking = record.asking;
  if (!asking) throw new AnswerMismatch('nothing was asked for');
  const { key } = asking;
  const slot = keySlot(key.algorithm, key.publicKey);
  const hash = await secretHash({ ticketId: record.ticketId, secret: asking.secret });
  const proof = await signProof(key, bindingMessage(asking.event.id, record.ticketId, key.algorithm, slot, hash));
  const askedAtMs = ports.phoneNowMs();
  const answer = await ports.send({
    ticket_id: record.ticketId,
    secret: asking.secret,
    algorithm: key.algorithm,
    public_key: toBase64Url(key.publicKey),
    proof: toBase64Url(proof),
  });
  const fix = measure(answer.server_time_ms, askedAtMs, ports.phoneNowMs());
  const credential = checkedCredential(record.ticketId, key, answer);
  const done: TicketRecord = {
    ticketId: record.ticketId,
    bound: {
      secret: asking.secret,
      key,
      serial: answer.serial,
      event: answer.event,
      class: answer.class,
      credential,
      fullCodeUntilMs: answer.full_code_until_ms,
    },
  };
  await ports.store.put(done);
  if (fix) await ports.store.putClockFix(fix);
  return { record: done, fix };
}

function checkedCredential(ticketId: string, key: HolderKey, answer: BindingAnswer): Uint8Array<ArrayBuffer> {
  let bytes: Uint8Array<ArrayBuffer>;
  let fields: ReturnType<typeof parseCredential>;
  try {
    bytes = fromBase64Url(answer.credential);
    fields = parseCredential(bytes);
  } catch (cause) {
    throw new AnswerMismatch('the credential cannot be read', { cause });
  }
  const fits =
    fields.ticketId === ticketId &&
    fields.eventId === answer.event.id &&
    fields.serial === answer.serial &&
    fields.algorithm === key.algorithm &&
    equalBytes(fields.keySlot, keySlot(key.algorithm, key.publicKey));
  if (!fits) throw new AnswerMismatch('the credential is for another ticket or key');
  return bytes;
}

// ---- asking again --------------------------------------------------------------------------------------------------------------

const BACKOFF_MS = [1_000, 2_000, 4_000, 8_000, 15_000, 30_000, 30_000, 30_000];

/** How long to wait before trying again by ourselves, or null: only a tap goes on from here. */
export function retryDelayMs(failure: unknown, attempt: number): number | null {
  const backoff = BACKOFF_MS[attempt] ?? null;
  if (failure instanceof NoAnswer) return backoff;
  if (failure instanceof ApiProblem && failure.status === 429) return failure.retryAfterMs ?? backoff;
  if (failure instanceof ApiProblem && (failure.status >= 500 || failure.status === 408)) return backoff;
  return null;
}
