/** Entry of the thread that encodes and writes files, so that the recorder's goes on meanwhile. */
import { type MessagePort, workerData } from 'node:worker_threads';
import { Keyring } from '../../seal/keyring.js';
import { yieldToOthers } from '../../thread-priority.js';
import { Doorbell } from '../doorbell.js';
import type { WorkerStart } from '../protocol.js';
import { Room } from '../room.js';
import { loadDisk, loadEncoder } from '../stand-ins.js';
import { FileMaker } from './maker.js';
import type { FilesControl, FilesReport } from './protocol.js';

const { port, start } = workerData as { readonly port: MessagePort; readonly start: WorkerStart };
const { bootId, dataDir, modules, version } = start;
// Node shows a warning of a thread once, as one of the process.
const remark = yieldToOthers(start.nice);
if (remark !== null) process.emitWarning(remark);

const disk = await loadDisk(modules);
const room = new Room(disk, dataDir, start.reserve);
const encoder = await loadEncoder(modules);
const sealing = { keyring: new Keyring(start.keys), sentOpen: start.sentOpen };
const maker = new FileMaker({ disk, room, encoder, dataDir, bootId, version, sealing });
const doorbell = new Doorbell(start.doorbell);

port.on('message', (control: FilesControl) => {
  if (control.kind === 'open-reserve') {
    room.openReserve();
    return;
  }
  const report: FilesReport = { id: control.id, outcome: maker.make(control.job) };
  port.postMessage(report);
  doorbell.wake();
});
