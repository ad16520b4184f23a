import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { fromHex, toHex } from '../../src/shared/bytes';
import { base45Decode, base45Encode, bindingMessage, keySlot, lowS, makeCodes, parseCredential, presentationMessage, stepAt, type Algorithm } from '../../src/ticket/code';
import { signerOf } from '../../src/ticket/keys';
import { cases, presentCases } from '../vectors';

const hex = (value: unknown) => fromHex(value as string);

it.each(cases('keys', 'base45'))('base45: $name', ({ text, expect: { accept } }) => {
  if (!accept) return void expect(() => base45Decode(text as string)).toThrow();
  expect(toHex(base45Decode(text as string))).toBe(accept.bytes);
  expect(base45Encode(hex(accept.bytes))).toBe(text);
});

it.each(cases('keys', 'ticket_id'))('ticket id: $name', ({ text, expect: { accept } }) => {
  const message = () => presentationMessage({ eventId: 1, ticketId: text as string, serial: 1 }, { step: 0, challenge: 0 });
  if (accept) expect(toHex(message())).toContain(accept.bytes);
  else expect(message).toThrow();
});

it.each(cases('keys', 'time_step'))('time step: $name', ({ unix_s, expect: { accept } }) => {
  expect(stepAt((unix_s as number) * 1000)).toBe(accept!.step);
});

it.each(cases('keys', 'public_key').filter((c) => c.expect.accept))('key slot: $name', ({ algorithm, public_key, expect: { accept } }) => {
  expect(toHex(keySlot(algorithm as Algorithm, hex(public_key)))).toBe(accept!.slot);
});

it.each(cases('credentials', 'credential').filter((c) => c.expect.accept))('credential: $name', ({ credential, expect: { accept } }) => {
  const fields = parseCredential(hex(credential));
  expect(fields).toMatchObject({ algorithm: accept!.algorithm, eventId: accept!.event, ticketId: accept!.ticket, serial: accept!.serial });
  if (fields.algorithm !== 'none') expect(fields.keySlot).toEqual(new Uint8Array(keySlot(fields.algorithm, hex(accept!.holder_key))));
});

it.each(cases('binding', 'binding').filter((c) => c.expect.accept))('binding proof: $name', ({ event, ticket, algorithm, public_key, link_secret, message, proof }) => {
  const slot = keySlot(algorithm as Algorithm, hex(public_key));
  const hash = new Uint8Array(createHash('sha256').update(hex(link_secret)).digest());
  expect(toHex(bindingMessage(event as number, ticket as string, algorithm as Algorithm, slot, hash))).toBe(message);
  if (algorithm === 'p256') expect(toHex(lowS(hex(proof)))).toBe(proof);
});

it.each([...presentCases('ed25519'), ...presentCases('p256')])('codes from the given signature: $name', async ({ algorithm, credential, step, challenge, expect: { accept } }) => {
  const ticket = { eventId: accept.event, ticketId: accept.ticket, serial: accept.serial };
  const signed: string[] = [];
  const sign = async (message: Uint8Array) => (signed.push(toHex(message)), fromHex(accept.signature));
  const codes = await makeCodes(algorithm, sign, ticket, hex(credential), { step, challenge });
  expect(codes).toEqual({ short: accept.short_code, full: accept.full_code });
  expect(signed).toEqual([accept.message]);
});

it.each(presentCases('ed25519'))('codes signed here: $name', async ({ credential, step, challenge, holder_jwk, expect: { accept } }) => {
  const key = await crypto.subtle.importKey('jwk', holder_jwk, { name: 'Ed25519' }, false, ['sign']);
  const ticket = { eventId: accept.event, ticketId: accept.ticket, serial: accept.serial };
  expect(await makeCodes('ed25519', signerOf('ed25519', key), ticket, hex(credential), { step, challenge })).toEqual({ short: accept.short_code, full: accept.full_code });
});
