/** A broker in a process of its own, so that it can be killed, on a machine whose clock and disk its parent moves. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { mock } from 'node:test';
import { type App, createApp } from '../../src/app/app.js';
import { SAVE_EVERY } from '../../src/clock/store.js';
import type { ConfigInput } from '../../src/config/schema.js';
import { Disk, MemoryLog } from '../app/app-fixture.js';
import { FakeTime } from '../clock/machine.js';
import { bytesIn } from '../recorder/modules/disk.js';

export type Order =
  | {
      readonly kind: 'start';
      readonly config: ConfigInput;
      readonly wall: number;
      readonly uptime: number;
      readonly boot: number;
    }
  | { readonly kind: 'pass'; readonly micros: number; readonly stepped: number }
  /** So many bytes more than there are now, and the disk is full; null: there is no limit. */
  | { readonly kind: 'room'; readonly bytes: number | null }
  | { readonly kind: 'ask'; readonly verb: string; readonly request: object }
  | { readonly kind: 'stop' };

/** What every order is answered with. */
export interface Reply {
  readonly port: number;
  /** The last key that was given. */
  readonly key: number;
  readonly wall: number;
  readonly uptime: number;
  readonly result?: object;
  readonly unwritten?: number;
}

class Machine extends FakeTime {
  readonly #boot: number;

  constructor(wall: number, uptime: number, boot: number) {
    super(wall, uptime);
    this.#boot = boot;
  }

  override get bootId(): string {
    return `boot-${this.#boot}`;
  }
}

let app: App | null = null;
let time = new Machine(0, 0, 0);
const disk = new Disk();
// What is done every so often is done when time passes here.
mock.timers.enable({ apis: ['setInterval'] });

async function obey(order: Order): Promise<Partial<Reply>> {
  switch (order.kind) {
    case 'start': {
      time = new Machine(order.wall, order.uptime, order.boot);
      app = await createApp(order.config, { time, recorderModules: disk.modules, log: new MemoryLog().log });
      return {};
    }
    case 'pass':
      time.step(order.stepped);
      for (let passed = 0; passed < order.micros; passed += SAVE_EVERY) await passes(app!);
      return {};
    case 'room':
      disk.capacity =
        order.bytes === null ? 0 : bytesIn(join(app!.config.dataDir, 'streams')) + order.bytes + 1;
      return {};
    case 'ask':
      return { result: await app!.request(order.verb, order.request) };
    case 'stop': {
      const unwritten = await app!.close();
      return { unwritten: unwritten.reduce((sum, { messages }) => sum + messages, 0) };
    }
  }
}

/** As long as it takes until the clock is saved again; and it is. */
async function passes({ clock, config }: App): Promise<void> {
  time.advance(SAVE_EVERY);
  mock.timers.tick(SAVE_EVERY / 1000);
  const saved = async () => JSON.parse(await readFile(join(config.dataDir, 'clock.json'), 'utf8')).ceiling;
  while ((await saved()) < clock.now() + SAVE_EVERY);
}

process.on('message', async (order: Order) => {
  const more = await obey(order);
  const url = app!.listeners[0]?.url ?? 'mqtt://127.0.0.1:0';
  const reply: Reply = {
    port: Number(new URL(url).port),
    key: app!.clock.last,
    wall: time.now,
    uptime: time.uptime,
    ...more,
  };
  process.send!(reply);
});
