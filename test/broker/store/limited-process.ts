/** A process whose files may not grow as large as LevelDB lets its log grow: now and then a write fails halfway. */
import { once } from 'node:events';
import { LevelPersistence } from '../../../src/broker/store/level-persistence.js';
import { message } from './message.js';

const [, , folder, messages] = process.argv;
let faults = 0;
const store = await LevelPersistence.open({ folder: folder!, sync: false, onFault: () => faults++ });
let rejected = 0;
for (let counter = 1; counter <= Number(messages); counter++) {
  const payload = Buffer.from(String(counter).padEnd(300));
  const done = store.outgoingEnqueue({ clientId: 'c' }, message(counter, { payload }));
  done.catch(() => rejected++);
  if (counter % 20 === 0) await done.catch(() => {});
}
await store.destroy();
if (!process.stdout.write(JSON.stringify({ faults, rejected }))) await once(process.stdout, 'drain');
