import { MqttStreamError } from '../errors.js';
import type { Disk } from './disk.js';

/** Codes of a disk that has no room left for us. */
const FULL = ['DISK_FULL', 'ENOSPC', 'EDQUOT'];

/** Whether the disk has room. What streams leave is for sessions, the clock, gaps, and the rest of the machine. */
export class Room {
  readonly #disk: Disk;
  readonly #folder: string;
  readonly #reserve: number;
  #open = false;

  /** `reserve`: bytes that are to be left; 0: none. */
  constructor(disk: Disk, folder: string, reserve: number) {
    this.#disk = disk;
    this.#folder = folder;
    this.#reserve = reserve;
  }

  /** Throws DISK_FULL if less than the reserve would be left after so many bytes more. */
  claim(bytes: number): void {
    if (this.#open || this.#reserve === 0) return;
    const free = this.#disk.free(this.#folder);
    if (free - bytes < this.#reserve) throw new MqttStreamError('DISK_FULL', [bytes, free, this.#reserve]);
  }

  /** From now on the reserve may be used: nothing comes after this. */
  openReserve(): void {
    this.#open = true;
  }
}

/** Whether the disk refused something because it has no room, and not because something is wrong with it. */
export function isFull(error: unknown): boolean {
  return error instanceof Error && 'code' in error && FULL.includes(error.code as string);
}
