/** The recorder's thread. Synchronous from here on: it never returns to the event loop before it ends. */
import { performance } from 'node:perf_hooks';
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { MqttStreamError } from '../errors.js';
import { Keyring } from '../seal/keyring.js';
import { DoorbellBed } from './doorbell.js';
import { ThreadFiles } from './files/thread-files.js';
import { RecorderLoop } from './loop.js';
import type { Report, WorkerStart } from './protocol.js';
import { Room } from './room.js';
import { loadDisk } from './stand-ins.js';
import { Timeline } from './timeline.js';

const port = parentPort;
if (port === null) throw new MqttStreamError('INTERNAL', ['the recorder was started outside a worker']);
const { files, start } = workerData as { readonly files: MessagePort; readonly start: WorkerStart };
const post = (report: Report) => port.postMessage(report);

const disk = await loadDisk(start.modules);

new RecorderLoop({
  disk,
  room: new Room(disk, start.dataDir, start.reserve),
  files: new ThreadFiles(files),
  dataDir: start.dataDir,
  sealing: { keyring: new Keyring(start.keys), sentOpen: start.sentOpen },
  timeline: new Timeline(start.clockBase, start.corrections),
  bed: new DoorbellBed(start.doorbell),
  now: () => performance.now(),
  receive: () => receiveMessageOnPort(port)?.message,
  post,
}).run();
