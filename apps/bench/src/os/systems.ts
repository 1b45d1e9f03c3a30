import type { System } from '@rpal/compare';
import { attachSystem } from '@rpal/cross-memory-attach';
import { duneSystem } from '@rpal/dune';
import { exokernel } from '@rpal/exokernel';
import { bus } from '@rpal/kernel-bus';
import { multikernel } from '@rpal/multikernel';
import { mapping } from '@rpal/page-flip';

/** The systems that come with this program. The only place that names them. */
export const systems: readonly System[] = [attachSystem, bus, duneSystem, exokernel, mapping, multikernel];
