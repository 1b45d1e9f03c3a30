import { type Cpu, Exception, FaultCode } from '@rpal/hw-x86';
import { type Process, UserContext } from '@rpal/kernel';
import type { Rpal } from '../rpal.js';

/** What a CPU executes whose code has been unmapped under it: the fetch of the next instruction faults. */
class VanishedCode extends UserContext {
  override resume(cpu: Cpu): void {
    this.cpu = cpu;
    this.fresh = true;
    cpu.mmu.faultAddress = this.rip;
    cpu.mmu.faultCode = FaultCode.user | FaultCode.fetch;
    cpu.trap.exception(cpu, Exception.pageFault, cpu.mmu.faultCode);
  }
}

/** The memory of `process` goes: CPUs that execute its code on behalf of others come no further. */
export function cutOff(rpal: Rpal, process: Process): void {
  const { kernel } = rpal;
  for (const cpu of kernel.platform.cpus) {
    const { context } = cpu;
    if (!(context instanceof UserContext) || context.program?.thread.process !== process) continue;
    const gone = new VanishedCode(kernel, cpu);
    gone.rip = process.textStart;
    gone.rsp = context.rsp;
    cpu.context = gone;
  }
}
