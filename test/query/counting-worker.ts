/** In place of the thread that reads files: its messages have as keys how many batches it was asked for so far. */
import { parentPort } from 'node:worker_threads';
import { BatchBuilder } from '../../src/query/batch.js';
import type { Answer, Order } from '../../src/query/file-protocol.js';

let asked = 0;

parentPort!.on('message', (order: Order) => {
  if (order.op !== 'next') return;
  asked += 1;
  const batch = new BatchBuilder();
  batch.add({
    key: asked,
    topic: 'asked',
    clientId: null,
    qos: 0,
    retain: false,
    properties: null,
    payload: new Uint8Array(),
  });
  parentPort!.postMessage({ kind: 'batch', id: order.id, batch: batch.take() } satisfies Answer);
});
