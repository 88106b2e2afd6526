import type { MergeWorker } from '../../src/merge/merger.js';
import { type MergeContext, merge } from '../../src/merge/merging.js';
import type { MergeJob, MergeReport } from '../../src/merge/protocol.js';
import { Room } from '../../src/recorder/room.js';
import { promises } from './promises.js';
import { DATA_DIR, type Surroundings } from './setup.js';

/** Of a merge and what follows. */
const STEPS = 12;
const ENDED: MergeReport = { kind: 'failed', error: 'the thread that merges files ended' };

/** The thread that merges files. Now and then it ends when a file is there and nobody was told. */
export class MergeThread implements MergeWorker {
  /** It is making a file just now; still so if the power was cut in the midst of that. */
  writing = false;
  readonly #context: MergeContext;
  readonly #dies: () => boolean;
  #end = () => {};
  #closed = false;
  readonly #ended = new Promise<MergeReport>((resolve) => {
    this.#end = () => resolve(ENDED);
  });

  constructor({ disk, encoder, failing, keyring, random, reserve }: Surroundings) {
    this.#dies = () => failing && random() < 0.2;
    this.#context = {
      dataDir: DATA_DIR,
      version: '1',
      fs: promises(disk),
      disk,
      room: new Room(disk, DATA_DIR, reserve),
      encoder: {
        encode: (...given) => {
          if (this.#closed) throw new Error(ENDED.kind);
          this.writing = true;
          // Often in the midst of it, or of the deletions behind it.
          if (random() < 0.3) disk.stopAt = disk.steps + 1 + Math.floor(random() * STEPS);
          return encoder.encode(...given);
        },
      },
      sealing: { keyring, sentOpen: false },
    };
  }

  run(job: MergeJob): Promise<MergeReport> {
    return Promise.race([this.#ended, this.#merge(job)]);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#end();
  }

  async #merge(job: MergeJob): Promise<MergeReport> {
    const report = await merge(this.#context, job);
    // What comes after the cut was cut off.
    if (!this.#isDead()) this.writing = false;
    return report.kind === 'merged' && this.#dies() ? ENDED : report;
  }

  #isDead(): boolean {
    return (this.#context.disk as Surroundings['disk']).dead;
  }
}
