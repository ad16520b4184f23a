// The frozen cases that server, handheld and page share. A missing folder is an error: without it nothing says that a phone's codes
// and a gate's checks mean the same bytes.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export interface Case {
  name: string;
  op: string;
  expect: { accept?: Record<string, unknown>; reject?: string };
  [field: string]: unknown;
}

export interface PresentCase extends Case {
  algorithm: 'ed25519' | 'p256';
  credential: string;
  step: number;
  challenge: number;
  deterministic: boolean;
  holder_jwk: JsonWebKey;
  expect: { accept: { event: number; ticket: string; serial: number; message: string; signature: string; short_code: string; full_code: string } };
}

export function cases(group: string, op: string): Case[] {
  const path = fileURLToPath(new URL(`../../../ticket-signer/vectors/${group}.json`, import.meta.url));
  const file = JSON.parse(readFileSync(path, 'utf8')) as { format: string; cases: Case[] };
  if (file.format !== 'turnstone-vectors-v1') throw new Error(`${path}: format ${file.format} is not known here`);
  const wanted = file.cases.filter((c) => c.op === op);
  if (wanted.length === 0) throw new Error(`${path} has no case of ${op}`);
  return wanted;
}

export const presentCases = (algorithm: 'ed25519' | 'p256') => cases('presentations', 'present').filter((c) => c.algorithm === algorithm) as PresentCase[];
