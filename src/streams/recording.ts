import type { Sink, Stream } from '../exchange/stream.js';
import type { CommittedFile } from '../recorder/files/writer.js';
import type { Recorder } from '../recorder/recorder.js';

/** A stream's way into files: what was captured in a turn is shown to the recorder, and to followers, at its end. */
export class Recording implements Sink {
  readonly #stream: Stream;
  readonly #recorder: Recorder;
  #due = false;

  constructor(stream: Stream, recorder: Recorder) {
    this.#stream = stream;
    this.#recorder = recorder;
  }

  captured(): void {
    if (this.#due) return;
    this.#due = true;
    setImmediate(this.#publish);
  }

  async flush(reason: 'request' | 'full'): Promise<CommittedFile | null> {
    const { name, ring } = this.#stream;
    if (reason === 'request' || ring.pressure < 1) return this.#recorder.flush(name, reason);
    // The recorder sees this by itself; another request would only cut off a small file behind it.
    this.#stream.publish();
    this.#recorder.doorbell.wake();
    return null;
  }

  readonly #publish = (): void => {
    const { doorbell } = this.#recorder;
    this.#due = false;
    if (this.#stream.publish()) doorbell.wake();
    else doorbell.ring();
    for (const follower of this.#stream.followers) follower.captured();
  };
}
