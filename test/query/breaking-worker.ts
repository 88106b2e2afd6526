/** The thread that reads files, but it breaks down at once when asked for a file named "breakdown". */
import { parentPort } from 'node:worker_threads';
import '../../src/query/file-worker.js';
import type { Order } from '../../src/query/file-protocol.js';

parentPort!.on('message', (order: Order) => {
  if (order.op === 'open' && order.query.path === 'breakdown') throw new Error('broken on purpose');
});
