import { createHash, generateKeyPairSync, sign as nodeSign, verify as nodeVerify } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { fromHex, toHex } from '../../src/shared/bytes';
import {
  base45Decode, base45Encode, bindingMessage, compressP256, FormatError, keySlot, lowS, makeCodes, parseCredential, presentationMessage, printedCode, signCanonical, stepAt,
} from '../../src/ticket/code';

const bytes = (text: string) => new TextEncoder().encode(text);
const P256_ORDER = 0xffffffff_00000000_ffffffff_ffffffff_bce6faad_a7179e84_f3b9cac2_fc632551n;

describe('base45', () => {
  it.each([
    ['AB', 'BB8'],
    ['Hello!!', '%69 VD92EX0'],
    ['base-45', 'UJCLQE7W581'],
    ['ietf!', 'QED8WEX0'],
  ])('spells %s as RFC 9285 does', (plain, encoded) => {
    expect(base45Encode(bytes(plain))).toBe(encoded);
    expect(base45Decode(encoded)).toEqual(bytes(plain));
  });

  it.each(['GGW', ':::', 'A', 'AAAA', 'aa', '::', 'BB8\n'])('refuses %j', (text) => {
    expect(() => base45Decode(text)).toThrow(FormatError);
  });

  it('gives every byte string back', () => {
    for (let length = 0; length < 40; length += 1) {
      const data = Uint8Array.from({ length }, (_, i) => (i * 89 + length * 31) & 0xff);
      expect(base45Decode(base45Encode(data))).toEqual(data);
    }
  });
});

describe('signed messages', () => {
  const ticket = { eventId: 0x01020304, ticketId: '1112131415161718', serial: 0x21 };

  it('lays a presentation out in 45 bytes', () => {
    const message = presentationMessage(ticket, { step: 0xfffefdfc, challenge: 9999 });
    expect(toHex(message)).toBe(`${toHex(bytes('turnstone.presentation.v1\0'))}010203041112131415161718 21fffefdfc270f`.replace(' ', ''));
  });

  it('lays a binding proof out', () => {
    const slot = keySlot('ed25519', new Uint8Array(32).fill(7));
    const hash = new Uint8Array(createHash('sha256').update('secret').digest());
    expect(toHex(bindingMessage(7, ticket.ticketId, 'ed25519', slot, hash))).toBe(`${toHex(bytes('turnstone.binding.v1\0'))}00000007111213141516171801${toHex(slot)}${toHex(hash)}`);
    expect(bindingMessage(7, ticket.ticketId, 'p256', slot, hash)[21 + 12]).toBe(2);
  });

  it.each([
    [{ ...ticket, ticketId: '11' }, { step: 1, challenge: 0 }],
    [{ ...ticket, ticketId: 'ABCDEF0123456789' }, { step: 1, challenge: 0 }],
    [{ ...ticket, serial: 256 }, { step: 1, challenge: 0 }],
    [ticket, { step: 2 ** 32, challenge: 0 }],
    [ticket, { step: 1.5, challenge: 0 }],
    [ticket, { step: 1, challenge: 10_000 }],
  ])('refuses what has no such form (%#)', (ref, moment) => {
    expect(() => presentationMessage(ref, moment)).toThrow();
  });

  it('counts steps of 15 seconds', () => {
    expect([stepAt(0), stepAt(14_999), stepAt(15_000), stepAt(1_700_000_000_000)]).toEqual([0, 0, 1, 113_333_333]);
  });
});

describe('codes', () => {
  const ticket = { eventId: 7, ticketId: '00000000000000ff', serial: 1 };
  const credential = Uint8Array.from({ length: 131 }, (_, i) => i);
  const signature = new Uint8Array(64).fill(0xa5);

  it('has the exact lengths of the format', async () => {
    const codes = await makeCodes('ed25519', async () => signature, ticket, credential, { step: 5, challenge: 0 });
    expect([codes.short.length, codes.full.length, printedCode(credential).length]).toEqual([122, 305, 200]);
    expect(toHex(base45Decode(codes.short.slice(3)))).toBe(`00000000000000ff01000000050000${toHex(signature)}`);
    expect(toHex(base45Decode(codes.full.slice(3)))).toBe(`${toHex(credential)}000000050000${toHex(signature)}`);
  });

  it('signs the moment once for both codes', async () => {
    const signed: string[] = [];
    await makeCodes('ed25519', async (m) => (signed.push(toHex(m)), signature), ticket, credential, { step: 5, challenge: 42 });
    expect(signed).toEqual([toHex(presentationMessage(ticket, { step: 5, challenge: 42 }))]);
  });

  it('refuses a signature or credential of another length', async () => {
    const moment = { step: 5, challenge: 0 };
    await expect(makeCodes('ed25519', async () => new Uint8Array(63), ticket, credential, moment)).rejects.toThrow(FormatError);
    await expect(makeCodes('ed25519', async () => signature, ticket, new Uint8Array(130), moment)).rejects.toThrow(FormatError);
  });

  it('reads the fields of a credential', () => {
    const made = Uint8Array.from(credential);
    made[0] = 1;
    made[1] = 2;
    expect(parseCredential(made)).toEqual({ algorithm: 'p256', eventId: 0x0a0b0c0d, ticketId: '0e0f101112131415', serial: 0x16, keySlot: made.slice(34, 67) });
    made[1] = 3;
    expect(() => parseCredential(made)).toThrow(FormatError);
    made[0] = 2;
    expect(() => parseCredential(made)).toThrow(FormatError);
  });
});

describe('P-256', () => {
  it('takes the low one of the two possible s, which verifies just as well', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
    let flipped = 0;
    for (let i = 0; i < 40; i += 1) {
      const message = bytes(`message ${i}`);
      const raw = new Uint8Array(nodeSign('sha256', message, { key: privateKey, dsaEncoding: 'ieee-p1363' }));
      const low = await signCanonical('p256', async () => raw, message);
      const s = BigInt(`0x${toHex(low.slice(32))}`);
      expect(s <= P256_ORDER / 2n).toBe(true);
      expect(nodeVerify('sha256', message, { key: publicKey, dsaEncoding: 'ieee-p1363' }, low)).toBe(true);
      if (toHex(low) !== toHex(raw)) flipped += 1;
    }
    expect(flipped).toBeGreaterThan(0);
    expect(flipped).toBeLessThan(40);
  });

  it('leaves an s of exactly half the order alone, and keeps leading zeros', () => {
    const half = (P256_ORDER / 2n).toString(16).padStart(64, '0');
    const signature = fromHex('01'.repeat(32) + half);
    expect(toHex(lowS(signature))).toBe(toHex(signature));
    const high = fromHex('01'.repeat(32) + (P256_ORDER - 5n).toString(16));
    expect(toHex(lowS(high).slice(32))).toBe('5'.padStart(64, '0'));
  });

  it('compresses a point by the parity of y', () => {
    const point = new Uint8Array(65).fill(9);
    point[0] = 4;
    point[64] = 8;
    expect(compressP256(point)[0]).toBe(2);
    point[64] = 9;
    expect(toHex(compressP256(point))).toBe(`03${'09'.repeat(32)}`);
    point[0] = 2;
    expect(() => compressP256(point)).toThrow(FormatError);
  });

  it('does not touch Ed25519 signatures', async () => {
    const signature = new Uint8Array(64).fill(0xff);
    expect(await signCanonical('ed25519', async () => signature, bytes('m'))).toEqual(signature);
  });
});
