import { UsageError } from '../usage.js';

const UNITS = { '': 1, k: 1024, m: 1024 * 1024 } as const;

/** Bytes that a word means: 32, 4k, 1m. @throws UsageError */
export function sizeFrom(option: string, text: string, largest: number): number {
  const [, digits, unit = ''] = /^(\d+)([km]?)$/i.exec(text) ?? [];
  const bytes = Number(digits) * UNITS[unit.toLowerCase() as keyof typeof UNITS];
  if (bytes >= 1 && bytes <= largest) return bytes;
  throw new UsageError(`${option} takes bytes from 1 to ${sizeText(largest)}, such as 32, 4k or 1m; "${text}" is none`);
}

/** 4096: `4 KiB`. */
export function sizeText(bytes: number): string {
  if (bytes >= 1 << 20 && bytes % (1 << 20) === 0) return `${bytes >> 20} MiB`;
  return bytes >= 1024 && bytes % 1024 === 0 ? `${bytes >> 10} KiB` : `${bytes} B`;
}
