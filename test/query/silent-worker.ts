/** In place of the thread that reads files: takes every order and answers none. */
import { parentPort } from 'node:worker_threads';

parentPort!.on('message', () => undefined);
