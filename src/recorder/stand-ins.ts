import { type Disk, type DiskModule, systemDisk } from './disk.js';
import type { Encoder, EncoderModule } from './files/parquet.js';
import type { RecorderModules } from './protocol.js';

/** The disk of a thread, or what stands in for it. */
export async function loadDisk({ disk, data }: RecorderModules): Promise<Disk> {
  return disk === undefined ? systemDisk : ((await import(disk)) as DiskModule).createDisk(data);
}

/** The encoder of a thread, or what stands in for it. */
export async function loadEncoder({ encoder, data }: RecorderModules): Promise<Encoder> {
  // Only where files are made: it is large.
  if (encoder === undefined) return (await import('./files/parquet.js')).parquetEncoder;
  return ((await import(encoder)) as EncoderModule).createEncoder(data);
}
