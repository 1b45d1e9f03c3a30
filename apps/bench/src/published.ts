import type { Phase } from './rfc-benchmark.js';

/** One pair of figures that the RFC states. */
export interface PublishedRun {
  readonly source: string;
  /** Average latency, TSC cycles. */
  readonly cycles: Readonly<Record<Phase, number>>;
}

/** What the RFC says its figures were measured with. Other conditions are not comparable. */
export const PUBLISHED_CONDITIONS = { size: 32, profile: 'xeon-platinum-8336c' } as const;

/** The figures that the RFC states for its sample, both for 1,000,000 messages of 32 bytes. */
export const publishedRuns: readonly PublishedRun[] = [
  { source: 'RFC v2, cover letter', cycles: { epoll: 19_616, rpal: 1_703 } },
  { source: 'RFC v2, patch 35, example output', cycles: { epoll: 16_439, rpal: 2_197 } },
];
