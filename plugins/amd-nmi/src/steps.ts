import { defineSteps } from '@rpal/hw-x86';

/** Software steps of sampling. Register accesses are charged by the performance-monitoring unit itself. @public for meters that ask what a step costs */
export const SampleStep = defineSteps('@rpal/amd-nmi', {
  handler: {
    cause: 'interrupt',
    instructions: [250, 400, 700],
    source: 'nmi_handle and the vendor handler (x86_pmu_handle_irq, handle_pmi_common), read off Linux 6.15',
    status: 'estimated',
  },
  sample: {
    cause: 'interrupt',
    instructions: [700, 1200, 2500],
    source: 'perf_event_overflow with a user-mode sample of IP, TID, TIME and no call chain',
    status: 'estimated',
  },
  switchEvent: {
    cause: 'switch',
    instructions: [120, 200, 400],
    source: 'perf_event_task_sched_in or _out with one event',
    status: 'estimated',
  },
  overflowWait: { cause: 'interrupt', ns: 1000, source: 'one turn of amd_pmu_wait_on_overflow: udelay(1)', status: 'counted' },
});
