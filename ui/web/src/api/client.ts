// The one place that speaks HTTP to the server. It turns every outcome into one of three: the answer, an `ApiProblem` (the server
// answered and said no), or `NoAnswer` (nobody knows whether the server heard). Callers must treat the last two differently: only
// after `NoAnswer` does asking again with the same content make sense by itself.

import type { ProblemBody } from './types';

const TIMEOUT_MS = 15_000;
const RETRY_AFTER_MS_MAX = 15 * 60_000;

export class ApiProblem extends Error {
  override readonly name = 'ApiProblem';

  constructor(
    readonly status: number,
    /** The stable code of the problem, or `http_<status>` where the answer carried none. */
    readonly code: string,
    readonly detail: string,
    readonly retryAfterMs: number | null,
  ) {
    super(`${code}: ${detail}`);
  }
}

export class NoAnswer extends Error {
  override readonly name = 'NoAnswer';
}

export interface CallOptions {
  body?: unknown;
  /** For calls that create something: the same key with the same body gets the same answer again. */
  idempotencyKey?: string;
  timeoutMs?: number;
}

export async function call<T>(method: 'GET' | 'POST' | 'PUT' | 'DELETE', path: string, options: CallOptions = {}): Promise<T> {
  const headers: Record<string, string> = { Accept: 'application/json, application/problem+json' };
  const init: RequestInit = { method, headers, credentials: 'same-origin', cache: 'no-store', redirect: 'error' };
  if (method !== 'GET') headers['Content-Type'] = 'application/json';
  if (options.body !== undefined) init.body = JSON.stringify(options.body);
  if (options.idempotencyKey !== undefined) headers['Idempotency-Key'] = options.idempotencyKey;
  init.signal = AbortSignal.timeout(options.timeoutMs ?? TIMEOUT_MS);

  let response: Response;
  let text: string;
  try {
    response = await fetch(path, init);
    text = await response.text();
  } catch (cause) {
    throw new NoAnswer('the server could not be reached, or its answer was lost', { cause });
  }
  if (!response.ok) throw problemOf(response, text);
  if (text === '') return undefined as T;
  try {
    return JSON.parse(text) as T;
  } catch (cause) {
    // A captive portal answers 200 with a page of its own: that is nobody we know, so nothing is known.
    throw new NoAnswer('something else than the server answered', { cause });
  }
}

function problemOf(response: Response, text: string): Error {
  let body: ProblemBody = {};
  try {
    body = JSON.parse(text) as ProblemBody;
  } catch {
    // A proxy's error page. The status is all there is to know.
  }
  const gatewayDown = response.status >= 502 && response.status <= 504;
  if (gatewayDown && body.code === undefined) return new NoAnswer(`a gateway answered ${response.status} in the server's place`);
  return new ApiProblem(response.status, body.code ?? `http_${response.status}`, body.detail ?? body.title ?? '', retryAfterMs(response));
}

function retryAfterMs(response: Response): number | null {
  const seconds = Number(response.headers.get('Retry-After') ?? Number.NaN);
  return Number.isFinite(seconds) && seconds >= 0 ? Math.min(seconds * 1000, RETRY_AFTER_MS_MAX) : null;
}
