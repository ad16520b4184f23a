// The holder's key: made here, never extractable, one per ticket. Ed25519 where the browser has it and its storage can give such a
// key back; else P-256, which every browser has.

import { toHex } from '../shared/bytes';
import { compressP256, keySlot, signCanonical, type Algorithm, type Sign } from './code';

export interface HolderKey {
  algorithm: Algorithm;
  privateKey: CryptoKey;
  /** Raw 32 bytes (Ed25519) or the compressed point of 33 (P-256). */
  publicKey: Uint8Array<ArrayBuffer>;
}

export async function makeHolderKey(algorithm: Algorithm): Promise<HolderKey> {
  if (algorithm === 'ed25519') {
    const pair = (await crypto.subtle.generateKey({ name: 'Ed25519' }, false, ['sign', 'verify'])) as CryptoKeyPair;
    return { algorithm, privateKey: pair.privateKey, publicKey: await rawPublic(pair) };
  }
  const pair = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign', 'verify']);
  return { algorithm, privateKey: pair.privateKey, publicKey: compressP256(await rawPublic(pair)) };
}

async function rawPublic(pair: CryptoKeyPair): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await crypto.subtle.exportKey('raw', pair.publicKey));
}

export function signerOf(algorithm: Algorithm, privateKey: CryptoKey): Sign {
  const params = algorithm === 'ed25519' ? { name: 'Ed25519' } : { name: 'ECDSA', hash: 'SHA-256' };
  return async (message) => new Uint8Array(await crypto.subtle.sign(params, privateKey, message));
}

/** Proof for the server that whoever asks holds the key. */
export function signProof(key: HolderKey, message: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  return signCanonical(key.algorithm, signerOf(key.algorithm, key.privateKey), message);
}

/** Whether a key that came back from storage can still sign: some browsers store an Ed25519 key and return a dead one. */
export async function stillSigns(key: HolderKey): Promise<boolean> {
  try {
    const signature = await signProof(key, new TextEncoder().encode(`turnstone.self-test.v1\0${toHex(keySlot(key.algorithm, key.publicKey))}`));
    return signature.length === 64;
  } catch {
    return false;
  }
}
