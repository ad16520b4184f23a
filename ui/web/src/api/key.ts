// Idempotency keys: one for each thing that somebody wants done once, however often it is asked for.

export function randomKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
