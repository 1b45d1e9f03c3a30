import { definePlugin, type Plugin } from '@rpal/bus';
import type { Thread } from '@rpal/kernel';

/** What the plugin has seen on one machine. */
export interface Tally {
  switches: number;
  faults: number;
  calls: number;
}

/** A plugin of somebody else: counts context switches, page faults and system calls, by an event, a hook and an event. */
export function tally(counts: Tally): Plugin {
  return definePlugin<object>({
    name: 'somebody-elses-tally',
    version: '1.2.3',
    requires: { '@rpal/kernel': '^0.3.0', '@rpal/rpal-core': '^0.3.0' },
    setup({ plugin, hooks, events, onTeardown }) {
      onTeardown(events.contextSwitch.on(plugin, () => counts.switches++));
      onTeardown(events.syscallEnter.on(plugin, (_cpu: number, _time: number, _thread: Thread, _nr: number) => counts.calls++));
      hooks.mmFault.tap(plugin, (_cpu, _mm, _address: number, _code: number) => {
        counts.faults++;
        return undefined;
      });
    },
  })();
}
