import type { CpuProfile } from '@rpal/hw-x86';
import { opteron2220, opteron8350, opteron8380 } from './opterons.js';
import { xeonX5355 } from './xeon-x5355.js';

/** The machines of the paper's evaluation. */
export const machines: readonly CpuProfile[] = [xeonX5355, opteron2220, opteron8380, opteron8350];

export { opteron2220, opteron8350, opteron8380, xeonX5355 };
