import { createHash } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import { ApiProblem, NoAnswer } from '../../src/api/client';
import type { BindingAnswer, BindingRequest, HolderTicket } from '../../src/api/types';
import { fromBase64Url, toBase64Url } from '../../src/shared/bytes';
import { AnswerMismatch, prepareBinding, retryDelayMs, sendBinding, type BindingPorts } from '../../src/ticket/binding';
import { bindingMessage, keySlot } from '../../src/ticket/code';
import { makeHolderKey, stillSigns } from '../../src/ticket/keys';
import { StorageRefused, type TicketRecord, type TicketStore } from '../../src/ticket/store';

const link = { ticketId: '00112233445566aa', secret: 'AAECAwQFBgcICQoLDA0ODw' };
const event = { id: 7, name: 'E', venue: 'V', time_zone: 'UTC', starts_at_ms: 0, ends_at_ms: 1 };
const ticketClass = { id: 3, name: 'C', valid_from_ms: 0, valid_until_ms: 1 };
const info: HolderTicket = { ticket_id: link.ticketId, serial: 0, state: 'unbound', event, class: ticketClass, printed_code: null, server_time_ms: 0 };

function memoryStore(log: string[]): TicketStore & { records: Map<string, TicketRecord> } {
  const records = new Map<string, TicketRecord>();
  return {
    records,
    get: async (id) => records.get(id) ?? null,
    all: async () => [...records.values()],
    put: async (record) => (log.push(record.bound ? 'stored bound' : 'stored asking'), void records.set(record.ticketId, record)),
    remove: async (id) => void records.delete(id),
    clockFix: async () => null,
    putClockFix: async () => undefined,
  };
}

function answerFor(request: BindingRequest): BindingAnswer {
  const credential = new Uint8Array(131);
  credential[0] = 1;
  credential[1] = request.algorithm === 'ed25519' ? 1 : 2;
  credential.set([0, 0, 0, 7], 10);
  credential.set([0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0xaa], 14);
  credential[22] = 1;
  credential.set(keySlot(request.algorithm, fromBase64Url(request.public_key)), 34);
  return { credential: toBase64Url(credential), ticket_id: link.ticketId, serial: 1, event, class: ticketClass, server_time_ms: 1_000, full_code_until_ms: 5_000 };
}

let log: string[];
let store: ReturnType<typeof memoryStore>;
let sent: BindingRequest[];
let ports: BindingPorts;

beforeEach(() => {
  log = [];
  sent = [];
  store = memoryStore(log);
  ports = {
    store,
    makeKey: makeHolderKey,
    keyWorks: stillSigns,
    send: async (request) => (log.push('sent'), sent.push(request), answerFor(request)),
    phoneNowMs: () => 1_000,
  };
});

describe('binding', () => {
  it('has the key in storage before the server hears of it', async () => {
    const record = await prepareBinding(ports, link, info);
    expect(log).toEqual(['stored asking']);
    const { record: done, fix } = await sendBinding(ports, record);
    expect(log).toEqual(['stored asking', 'sent', 'stored bound']);
    expect(done.asking).toBeUndefined();
    expect(done.bound?.serial).toBe(1);
    expect(fix?.offsetMs).toBe(0);
    expect(done.bound?.key.privateKey.extractable).toBe(false);
  });

  it.each(['ed25519', 'p256'] as const)('proves possession of its %s key over the contract’s bytes', async (algorithm) => {
    await sendBinding(ports, await prepareBinding(ports, link, info, [algorithm]));
    const request = sent[0]!;
    const slot = keySlot(algorithm, fromBase64Url(request.public_key));
    const message = bindingMessage(7, link.ticketId, algorithm, slot, new Uint8Array(createHash('sha256').update(fromBase64Url(link.secret)).digest()));
    const { verifyHolder } = await import('../mock/server.mjs');
    expect(verifyHolder(algorithm, Buffer.from(fromBase64Url(request.public_key)), message, Buffer.from(fromBase64Url(request.proof)))).toBe(true);
  });

  it('asks again with the same key after a lost reply', async () => {
    const heard: string[] = [];
    ports.send = async (request) => {
      heard.push(request.public_key);
      if (heard.length < 3) throw new NoAnswer('lost');
      return answerFor(request);
    };
    await expect(sendBinding(ports, await prepareBinding(ports, link, info))).rejects.toThrow(NoAnswer);
    await expect(sendBinding(ports, await prepareBinding(ports, link, info))).rejects.toThrow(NoAnswer);
    await sendBinding(ports, store.records.get(link.ticketId)!);
    expect(new Set(heard).size).toBe(1);
  });

  it('makes a new key for a new link, and keeps the old ticket until the answer', async () => {
    await sendBinding(ports, await prepareBinding(ports, link, info));
    const again = await prepareBinding(ports, { ...link, secret: 'BBECAwQFBgcICQoLDA0ODw' }, info);
    expect(again.bound).toBeDefined();
    ports.send = async () => Promise.reject(new NoAnswer('lost'));
    await expect(sendBinding(ports, again)).rejects.toThrow(NoAnswer);
    expect(store.records.get(link.ticketId)?.bound?.serial).toBe(1);
    expect(toBase64Url(again.asking!.key.publicKey)).not.toBe(sent[0]!.public_key);
  });

  it('falls back to P-256 where the browser lacks Ed25519 or its storage returns a dead key', async () => {
    ports.makeKey = async (algorithm) => {
      if (algorithm === 'ed25519') throw new DOMException('no such algorithm', 'NotSupportedError');
      return makeHolderKey(algorithm);
    };
    expect((await prepareBinding(ports, link, info)).asking?.key.algorithm).toBe('p256');
    store.records.clear();
    ports.makeKey = makeHolderKey;
    ports.keyWorks = async (key) => key.algorithm === 'p256';
    expect((await prepareBinding(ports, link, info)).asking?.key.algorithm).toBe('p256');
  });

  it('sends nothing where nothing can be kept', async () => {
    store.get = async () => null;
    await expect(prepareBinding(ports, link, info)).rejects.toThrow(StorageRefused);
    store.put = async () => Promise.reject(new StorageRefused('full'));
    await expect(prepareBinding(ports, link, info)).rejects.toThrow(StorageRefused);
    expect(log).not.toContain('sent');
  });

  const spoil = (change: (credential: Uint8Array) => void) => (answer: BindingAnswer) => {
    const bytes = fromBase64Url(answer.credential);
    change(bytes);
    return { ...answer, credential: toBase64Url(bytes) };
  };
  it.each<[string, (answer: BindingAnswer) => BindingAnswer]>([
    ['another ticket', spoil((c) => (c[21]! ^= 1))],
    ['another event', spoil((c) => (c[13]! ^= 1))],
    ['another serial', (a) => ({ ...a, serial: 2 })],
    ['another key', spoil((c) => (c[40]! ^= 1))],
    ['another algorithm', spoil((c) => (c[1] = 2))],
    ['no key at all', spoil((c) => (c[1] = 0))],
    ['too short', (a) => ({ ...a, credential: a.credential.slice(0, -4) })],
    ['no base64url', (a) => ({ ...a, credential: '++' })],
  ])('does not take a credential for %s', async (_name, change) => {
    const record = await prepareBinding(ports, link, info, ['ed25519']);
    ports.send = async (request) => change(answerFor(request));
    await expect(sendBinding(ports, record)).rejects.toThrow(AnswerMismatch);
    expect(store.records.get(link.ticketId)?.bound).toBeUndefined();
  });
});

describe('asking again', () => {
  it('waits longer each time and stops in the end', () => {
    const delays = Array.from({ length: 10 }, (_, attempt) => retryDelayMs(new NoAnswer('lost'), attempt));
    expect(delays[0]).toBe(1_000);
    expect(delays.at(-1)).toBeNull();
    const given = delays.filter((d) => d !== null);
    expect([...given].sort((a, b) => a - b)).toEqual(given);
  });

  it('obeys Retry-After, tries again after a server error, and not after a decision', () => {
    expect(retryDelayMs(new ApiProblem(429, 'binding_rate', '', 42_000), 0)).toBe(42_000);
    expect(retryDelayMs(new ApiProblem(500, 'internal', '', null), 0)).toBe(1_000);
    expect(retryDelayMs(new ApiProblem(409, 'link_used', '', null), 0)).toBeNull();
    expect(retryDelayMs(new AnswerMismatch('x'), 0)).toBeNull();
  });
});
