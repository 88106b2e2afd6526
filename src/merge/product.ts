/** What a merged file is called, and whether it is encrypted. */
import type { FileEntry } from '../catalog/entry.js';
import { dateFolder, fileName, streamFolder } from '../catalog/naming.js';
import { isSealedName } from '../seal/offered.js';
import type { MergeJob } from './protocol.js';

/** The number of a file that will not be there any more: the recorder counts on undisturbed. */
export function seqOf(sources: readonly FileEntry[]): number {
  return Math.max(...sources.map(({ seq }) => seq));
}

/** What was encrypted stays so, whatever is said of the stream now. */
export function isEncrypted({ encrypted }: MergeJob, sources: readonly FileEntry[]): boolean {
  return encrypted || sources.some(({ name }) => isSealedName(name));
}

/** All files that may come of a job, since nobody knows how many of its files fit into one. Their sizes say nothing. */
export function productsOf(job: MergeJob): readonly FileEntry[] {
  const { files, stream } = job;
  const [first] = files;
  const folder = `${streamFolder(stream)}/${dateFolder(first.firstKey)}`;
  return files.slice(1).map((last, i) => {
    const sources = files.slice(0, i + 2);
    const name = fileName(first.firstKey, last.lastKey, seqOf(sources), isEncrypted(job, sources));
    return {
      ...last,
      name,
      path: `${folder}/${name}`,
      firstKey: first.firstKey,
      seq: seqOf(sources),
      sha256: null,
    };
  });
}
