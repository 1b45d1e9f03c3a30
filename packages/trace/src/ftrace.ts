import type { Recording, TraceEvent, Who } from './recording.js';

/**
 * A recording as the text of `/sys/kernel/tracing/trace`, which trace viewers for Linux read: scheduler events and system calls under the
 * kernel's own names, and what only RPAL has as `rpal_...`. Time stamps are seconds from the beginning of the recording.
 */
export function ftraceText(recording: Recording): string {
  const { events, begin, tscGHz } = recording;
  const running = new Map<number, Who>();
  const lines = [
    '# tracer: nop',
    '#',
    '#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION',
    '#              | |         |   |||||     |         |',
  ];
  for (const event of events) {
    const who = 'who' in event && event.kind !== 'wake-up' ? event.who : event.kind === 'switch' ? event.from : running.get(event.cpu);
    if (event.kind === 'switch') running.set(event.cpu, event.to);
    const text = textOf(event);
    if (text === null) continue;
    const seconds = ((event.time - begin) / tscGHz / 1e9).toFixed(9);
    lines.push(`${`${commOf(who)}-${who?.tid ?? 0}`.padStart(22)} [${String(event.cpu).padStart(3, '0')}] ..... ${seconds}: ${text}`);
  }
  return `${lines.join('\n')}\n`;
}

/** TASK_COMM_LEN: 15 characters, and no spaces, at which readers would split. */
function commOf(who: Who | undefined): string {
  if (who === undefined || who.tid === 0) return '<idle>';
  return who.name.replaceAll(' ', '_').slice(0, 15);
}

function textOf(event: TraceEvent): string | null {
  switch (event.kind) {
    case 'switch': {
      const { from, to, waits } = event;
      const name = (who: Who): string => (who.tid === 0 ? `swapper/${event.cpu}` : commOf(who));
      return `sched_switch: prev_comm=${name(from)} prev_pid=${from.tid} prev_prio=120 prev_state=${waits ? 'S' : 'R'} ==> next_comm=${name(to)} next_pid=${to.tid} next_prio=120`;
    }
    case 'wake-up':
      return `sched_wakeup: comm=${commOf(event.who)} pid=${event.who.tid} prio=120 target_cpu=${String(event.target).padStart(3, '0')}`;
    case 'idle begin':
      return `cpu_idle: state=1 cpu_id=${event.cpu}`;
    case 'idle end':
      return `cpu_idle: state=4294967295 cpu_id=${event.cpu}`;
    case 'call begin':
      return `sys_enter_${event.call}: `;
    case 'call end':
      return `sys_exit: result=${event.result}`;
    case 'interrupt':
      return `irq_handler_entry: irq=${event.vector} name=vector-${event.vector}`;
    case 'ipi':
      return `ipi_send_cpu: cpu=${event.target} vector=${event.vector}`;
    case 'page fault':
      return `page_fault_user: address=0x${event.address.toString(16)}`;
    case 'tlb flush':
      return `tlb_flush: cpus=${event.interrupted}`;
    case 'put':
    case 'taken':
      return `message_${event.kind}: queue=${event.queue.replaceAll(' ', '_')} bytes=${event.bytes}`;
    case 'lazy switch':
      return `rpal_lazy_switch: ${commOf(event.from)}-${event.from.tid} ==> ${commOf(event.to)}-${event.to.tid}`;
    case 'receiver state':
      return `rpal_receiver_state: rcc=0x${event.receiver.toString(16)} state=${event.state}`;
    case 'rights':
      return `rpal_rights: pkru=0x${(event.pkru >>> 0).toString(16)}`;
    default:
      return null;
  }
}
