/** The part of `fetch` that is used. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

export interface Answer {
  readonly status: number;
  readonly text: string;
}

/**
 * One HTTP request with all that keeps it from lasting or growing: no redirect is followed, `timeout` (ms) is for the
 * whole, and of a body longer than `mostBytes` nothing is taken. Rejects for all of that.
 */
export async function httpExchange(
  fetch: Fetch,
  url: string,
  init: RequestInit,
  timeout: number,
  mostBytes: number,
): Promise<Answer> {
  const signal = AbortSignal.timeout(timeout);
  const response = await fetch(url, { ...init, redirect: 'error', signal });
  const { status, body } = response;
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of (body ?? []) as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    // Leaving the loop cancels the rest.
    if (bytes > mostBytes) throw new Error(`the answer of ${url} has more than ${mostBytes} bytes`);
    chunks.push(chunk);
  }
  return { status, text: Buffer.concat(chunks).toString() };
}
