import { NoCode, type Process, UserContext } from '@rpal/kernel';
import type { Rpal } from '../rpal.js';

/** The memory of `process` goes: CPUs that execute its code on behalf of others get no further. */
export function cutOff(rpal: Rpal, process: Process): void {
  const { kernel } = rpal;
  for (const cpu of kernel.platform.cpus) {
    const { context } = cpu;
    if (!(context instanceof UserContext) || context.program?.thread.process !== process) continue;
    const gone = new NoCode(kernel.contexts, cpu, process.textStart);
    gone.rsp = context.rsp;
    cpu.context = gone;
  }
}
