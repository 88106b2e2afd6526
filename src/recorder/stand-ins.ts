import { type Disk, type DiskModule, systemDisk } from './disk.js';
import { type Encoder, type EncoderModule, parquetEncoder } from './parquet.js';
import type { RecorderModules } from './protocol.js';

/** The disk and the encoder of a thread, or what stands in for them. */
export async function loadParts(modules: RecorderModules): Promise<{ disk: Disk; encoder: Encoder }> {
  const { disk, encoder, data } = modules;
  return {
    disk: disk === undefined ? systemDisk : ((await import(disk)) as DiskModule).createDisk(data),
    encoder:
      encoder === undefined ? parquetEncoder : ((await import(encoder)) as EncoderModule).createEncoder(data),
  };
}
