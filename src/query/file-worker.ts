/** Entry of the thread that reads files: one scan a query, in turns, each only as far as it is asked for. */
import { parentPort, workerData } from 'node:worker_threads';
import { textOf } from '../errors.js';
import { Keyring } from '../seal/keyring.js';
import { yieldToOthers } from '../thread-priority.js';
import type { Batch } from './batch.js';
import type { Answer, Order, ReaderStart } from './file-protocol.js';
import { scanFile } from './file-scan.js';

interface Running {
  readonly batches: AsyncGenerator<Batch, void>;
  readonly abort: AbortController;
}

// Node shows a warning of a thread once, as one of the process.
const { nice, keys } = workerData as ReaderStart;
const keyring = new Keyring(keys);
const remark = yieldToOthers(nice);
if (remark !== null) process.emitWarning(remark);

const running = new Map<number, Running>();

parentPort!.on('message', (order: Order) => {
  if (order.op === 'open') {
    const abort = new AbortController();
    running.set(order.id, { abort, batches: scanFile(order.query, abort.signal, keyring) });
    return;
  }
  const scan = running.get(order.id);
  // It ended or failed while the order was under way.
  if (scan === undefined) return;
  if (order.op === 'cancel') scan.abort.abort();
  void answer(order.id, order.op === 'next' ? scan.batches.next() : scan.batches.return());
});

async function answer(id: number, step: Promise<IteratorResult<Batch, void>>): Promise<void> {
  try {
    const { done, value } = await step;
    if (!done) return post({ kind: 'batch', id, batch: value }, [value.payloads]);
    running.delete(id);
    post({ kind: 'end', id });
  } catch (error) {
    running.delete(id);
    const code = error instanceof Error && 'code' in error ? String(error.code) : undefined;
    post({ kind: 'failed', id, reason: textOf(error), code });
  }
}

function post(message: Answer, transfer: ArrayBuffer[] = []): void {
  parentPort!.postMessage(message, transfer);
}
