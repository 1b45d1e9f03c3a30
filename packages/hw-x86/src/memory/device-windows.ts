import { HardwareError } from '../errors.js';
import { PAGE_SIZE } from './address.js';

/** Physical addresses from here to 4 GiB are those of devices, as below 4 GiB on a PC. Memory never gets this far. @public for devices of your own */
export const DEVICE_BASE = 0x8000_0000;
const DEVICE_END = 0x1_0000_0000;

/** The registers of a device, as loads and stores find them. */
export interface MmioDevice {
  /**
   * A load of `size` bytes, 1, 2 or 4, from `offset` in the window, a multiple of `size`. Wider and misaligned loads come as several,
   * lowest address first.
   * @returns an unsigned value; bits above `size` bytes do not count
   */
  read(offset: number, size: number): number;
  /** A store to the same kind of place. @param value unsigned */
  write(offset: number, size: number, value: number): void;
}

interface Window {
  readonly base: number;
  readonly end: number;
  readonly device: MmioDevice;
}

/** True for the physical address of a device, also if no window is there. */
export function isDevice(address: number): boolean {
  return address >= DEVICE_BASE;
}

/**
 * The windows through which physical addresses lead to devices (memory-mapped I/O). No cache has what is behind them. An access
 * costs what its translation costs; the device's own time is not modelled here.
 */
export class DeviceWindows {
  readonly #windows: Window[] = [];

  /**
   * Opens a window of `length` bytes at physical `base`.
   * @throws HardwareError INVALID_ARGUMENT unless it consists of whole pages from `DEVICE_BASE` to 4 GiB that no other window has
   */
  open(base: number, length: number, device: MmioDevice): void {
    const end = base + length;
    if (!(base % PAGE_SIZE === 0 && length % PAGE_SIZE === 0 && length > 0)) {
      throw new HardwareError('INVALID_ARGUMENT', `window: ${span(base, end)} does not consist of whole pages`);
    }
    if (base < DEVICE_BASE || end > DEVICE_END) {
      throw new HardwareError(
        'INVALID_ARGUMENT',
        `window: ${span(base, end)} is not within ${span(DEVICE_BASE, DEVICE_END)}, where devices are`,
      );
    }
    const other = this.#windows.find((window) => base < window.end && window.base < end);
    if (other !== undefined) {
      throw new HardwareError('INVALID_ARGUMENT', `window: ${span(base, end)} overlaps the window ${span(other.base, other.end)}`);
    }
    this.#windows.push({ base, end, device });
  }

  /** A load of 1, 2 or 4 bytes. Where there is no window, all bits are set. @internal */
  read(address: number, size: number): number {
    if (address % size !== 0) return this.#bytes(address, size);
    const window = this.#at(address);
    const value = window === undefined ? -1 : window.device.read(address - window.base, size);
    return size === 4 ? value >>> 0 : value & ((1 << (8 * size)) - 1);
  }

  /** A store of 1, 2 or 4 bytes. Where there is no window, it is lost. @internal */
  write(address: number, size: number, value: number): void {
    if (address % size !== 0) {
      for (let i = 0; i < size; i++) this.write(address + i, 1, (value >>> (8 * i)) & 0xff);
      return;
    }
    const window = this.#at(address);
    window?.device.write(address - window.base, size, value);
  }

  #bytes(address: number, size: number): number {
    let value = 0;
    for (let i = 0; i < size; i++) value += this.read(address + i, 1) * 2 ** (8 * i);
    return value;
  }

  #at(address: number): Window | undefined {
    return this.#windows.find(({ base, end }) => address >= base && address < end);
  }
}

function span(base: number, end: number): string {
  return `0x${base.toString(16)} .. 0x${(end - 1).toString(16)}`;
}
