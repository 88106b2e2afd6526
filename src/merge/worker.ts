/** Entry of the thread that merges files. */
import * as fs from 'node:fs/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { Room } from '../recorder/room.js';
import { loadDisk, loadEncoder } from '../recorder/stand-ins.js';
import { Keyring } from '../seal/keyring.js';
import { yieldToOthers } from '../thread-priority.js';
import { merge } from './merging.js';
import type { MergeJob, MergeStart } from './protocol.js';

const { dataDir, version, nice, reserve, keys, sentOpen, modules } = workerData as MergeStart;
// Node shows a warning of a thread once, as one of the process.
const remark = yieldToOthers(nice);
if (remark !== null) process.emitWarning(remark);

const disk = await loadDisk(modules);
const encoder = await loadEncoder(modules);
const sealing = { keyring: new Keyring(keys), sentOpen };
const context = { dataDir, version, fs, disk, room: new Room(disk, dataDir, reserve), encoder, sealing };

parentPort!.on('message', async (job: MergeJob) => {
  parentPort!.postMessage(await merge(context, job));
});
