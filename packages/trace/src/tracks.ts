import type { Recording, TraceEvent, Who } from './recording.js';

/**
 * A stretch of time on a track, TSC cycles since boot. Slices of one track follow each other or lie within each other. @public for
 * pictures and formats of your own
 */
export interface Slice {
  readonly name: string;
  readonly category: 'runs' | 'idle' | 'call' | 'sleeps' | 'ready' | 'state';
  readonly begin: number;
  readonly end: number;
  /** Details, for a reader who looks closer. */
  readonly details: Readonly<Record<string, string | number>>;
}

/** A moment on a track. @public for pictures and formats of your own */
export interface Moment {
  readonly name: string;
  readonly time: number;
  readonly details: Readonly<Record<string, string | number>>;
}

/** What is drawn as one line: a CPU, a thread, a receiver. @public for pictures and formats of your own */
export interface Track {
  readonly name: string;
  readonly group: 'CPUs' | 'Threads' | 'RPAL receivers';
  readonly slices: readonly Slice[];
  readonly moments: readonly Moment[];
}

/** A number that changes: PKRU, runnable tasks. @public for pictures and formats of your own */
export interface Counter {
  readonly name: string;
  readonly values: readonly (readonly [time: number, value: number])[];
}

/** An arrow from one moment to another, possibly on other tracks. @public for pictures and formats of your own */
export interface Flow {
  readonly name: 'message' | 'wake-up';
  readonly from: { readonly track: string; readonly time: number };
  readonly to: { readonly track: string; readonly time: number };
}

/** A recording as it is drawn. @public for pictures and formats of your own */
export interface Tracks {
  readonly tracks: readonly Track[];
  readonly counters: readonly Counter[];
  readonly flows: readonly Flow[];
}

type Of<K extends TraceEvent['kind']> = Extract<TraceEvent, { kind: K }>;

export function cpuTrack(cpu: number): string {
  return `CPU ${cpu}`;
}

export function threadTrack({ name, tid }: Who): string {
  return `${name} ${tid}`;
}

/** Puts what was noted onto tracks. @public for pictures and formats of your own */
export function tracksOf(recording: Recording): Tracks {
  const { events, running, end } = recording;
  const busy = running.flatMap(({ tid }, cpu) => (tid === 0 ? [] : [cpu]));
  const used = [...new Set([...busy, ...events.map(({ cpu }) => cpu)])].sort((a, b) => a - b);
  const threads = new Map<number, Who>();
  for (const event of events) for (const who of peopleOf(event)) if (who.tid !== 0) threads.set(who.tid, who);
  const receivers = [...new Set(events.filter(isKind('receiver state')).map(({ receiver }) => receiver))];
  return {
    tracks: [
      ...used.map((cpu) => cpuTrackOf(recording, cpu)),
      ...[...threads.values()].sort((a, b) => a.tid - b.tid).map((who) => threadTrackOf(recording, who)),
      ...receivers.map((receiver, index) => receiverTrackOf(events, receiver, index, end)),
    ],
    counters: used.flatMap((cpu) => rightsOf(events, cpu)),
    flows: [...messages(events), ...wakeUps(events)],
  };
}

function isKind<K extends TraceEvent['kind']>(kind: K): (event: TraceEvent) => event is Of<K> {
  return (event): event is Of<K> => event.kind === kind;
}

function peopleOf(event: TraceEvent): readonly Who[] {
  if ('who' in event) return [event.who];
  return 'from' in event ? [event.from, event.to] : [];
}

/** Who runs, idle halts, and what comes in between. */
function cpuTrackOf({ events, running: atFirst, begin, end }: Recording, cpu: number): Track {
  const own = events.filter((event) => event.cpu === cpu);
  const slices: Slice[] = [];
  const moments: Moment[] = [];
  let since = begin;
  let running = atFirst[cpu] as Who;
  const close = (time: number): void => {
    if (time > since) {
      slices.push({
        name: running.name,
        category: running.tid === 0 ? 'idle' : 'runs',
        begin: since,
        end: time,
        details: { tid: running.tid },
      });
    }
  };
  for (const event of own) {
    if (event.kind === 'switch') {
      close(event.time);
      running = event.to;
      since = event.time;
    } else {
      const moment = momentOf(event);
      if (moment !== null) moments.push(moment);
    }
  }
  close(end);
  return { name: cpuTrack(cpu), group: 'CPUs', slices, moments };
}

function momentOf(event: TraceEvent): Moment | null {
  const { time } = event;
  switch (event.kind) {
    case 'interrupt':
      return { name: event.vector === 2 ? 'NMI' : 'interrupt', time, details: { vector: event.vector } };
    case 'ipi':
      return { name: 'IPI sent', time, details: { target: event.target, vector: event.vector } };
    case 'page fault':
      return { name: 'page fault', time, details: { address: `0x${event.address.toString(16)}` } };
    case 'tlb flush':
      return { name: 'TLB flush', time, details: { 'CPUs interrupted': event.interrupted } };
    case 'lazy switch':
      return { name: `lazy switch ${event.direction}`, time, details: { from: event.from.name, to: event.to.name } };
    case 'idle begin':
      return { name: 'halts', time, details: {} };
    case 'idle end':
      return { name: 'wakes', time, details: {} };
    default:
      return null;
  }
}

/** A thread's system calls, and within them its sleep and its way back to a CPU. */
function threadTrackOf({ events, begin, end }: Recording, who: Who): Track {
  const slices: Slice[] = [];
  const moments: Moment[] = [];
  let call: Of<'call begin'> | null = null;
  let asleep = Number.NaN;
  let ready = Number.NaN;
  for (const event of events) {
    if (!peopleOf(event).some(({ tid }) => tid === who.tid)) continue;
    const { time } = event;
    switch (event.kind) {
      case 'call begin':
        call = event;
        break;
      case 'call end':
        slices.push({
          name: call?.call ?? 'system call',
          category: 'call',
          begin: call?.time ?? begin,
          end: time,
          details: { result: event.result },
        });
        call = null;
        break;
      case 'switch':
        if (event.from.tid === who.tid) {
          if (event.waits) asleep = time;
          else ready = time;
        }
        if (event.to.tid === who.tid) {
          if (!Number.isNaN(asleep) && !Number.isNaN(ready))
            slices.push({ name: 'sleeps', category: 'sleeps', begin: asleep, end: ready, details: {} });
          if (!Number.isNaN(ready) && time > ready)
            slices.push({ name: 'waits for a CPU', category: 'ready', begin: ready, end: time, details: { cpu: event.cpu } });
          asleep = Number.NaN;
          ready = Number.NaN;
        }
        break;
      case 'wake-up':
        ready = time;
        break;
      case 'put':
      case 'taken':
        moments.push({
          name: event.kind === 'put' ? 'puts a message' : 'takes a message',
          time,
          details: { queue: event.queue, bytes: event.bytes },
        });
        break;
      default:
    }
  }
  if (call !== null) slices.push({ name: call.call, category: 'call', begin: call.time, end, details: { result: 'still in it' } });
  if (!Number.isNaN(asleep))
    slices.push({ name: 'sleeps', category: 'sleeps', begin: asleep, end: Number.isNaN(ready) ? end : ready, details: {} });
  slices.sort((a, b) => a.begin - b.begin || b.end - a.end);
  return { name: threadTrack(who), group: 'Threads', slices: nested(slices), moments };
}

/** A slice that outlives the one that it began in is cut at its end: slices of one track must lie within each other. */
function nested(slices: readonly Slice[]): readonly Slice[] {
  const open: number[] = [];
  return slices.map((slice) => {
    while (open.length > 0 && (open.at(-1) as number) <= slice.begin) open.pop();
    const end = Math.min(slice.end, open.at(-1) ?? slice.end);
    open.push(end);
    return { ...slice, end };
  });
}

function receiverTrackOf(events: readonly TraceEvent[], receiver: number, index: number, end: number): Track {
  const changes = events.filter(isKind('receiver state')).filter((event) => event.receiver === receiver);
  const slices = changes.map(
    ({ state, time }, at): Slice => ({ name: state, category: 'state', begin: time, end: changes[at + 1]?.time ?? end, details: {} }),
  );
  return { name: `receiver ${index + 1}`, group: 'RPAL receivers', slices: slices.filter(({ begin, end: to }) => to > begin), moments: [] };
}

function rightsOf(events: readonly TraceEvent[], cpu: number): readonly Counter[] {
  const values = events.filter(isKind('rights')).filter((event) => event.cpu === cpu);
  return values.length === 0 ? [] : [{ name: `PKRU of CPU ${cpu}`, values: values.map(({ time, pkru }) => [time, pkru >>> 0] as const) }];
}

/** From the sender of a message to its receiver, queue by queue, in order. */
function messages(events: readonly TraceEvent[]): readonly Flow[] {
  const waiting = new Map<string, Of<'put'>[]>();
  const flows: Flow[] = [];
  for (const event of events) {
    if (event.kind === 'put') waiting.set(event.queue, [...(waiting.get(event.queue) ?? []), event]);
    if (event.kind !== 'taken') continue;
    const queue = waiting.get(event.queue) ?? [];
    // Several messages may be taken at a time.
    for (let bytes = event.bytes; queue.length > 0; ) {
      const put = queue.shift() as Of<'put'>;
      flows.push({
        name: 'message',
        from: { track: threadTrack(put.who), time: put.time },
        to: { track: threadTrack(event.who), time: event.time },
      });
      bytes -= put.bytes;
      if (bytes <= 0) break;
    }
  }
  return flows;
}

/** From the CPU that wakes a task to the one that goes on with it. */
function wakeUps(events: readonly TraceEvent[]): readonly Flow[] {
  const pending = new Map<number, Of<'wake-up'>>();
  const flows: Flow[] = [];
  for (const event of events) {
    if (event.kind === 'wake-up') pending.set(event.who.tid, event);
    if (event.kind !== 'switch') continue;
    const woken = pending.get(event.to.tid);
    if (woken === undefined) continue;
    pending.delete(event.to.tid);
    flows.push({
      name: 'wake-up',
      from: { track: cpuTrack(woken.cpu), time: woken.time },
      to: { track: cpuTrack(event.cpu), time: event.time },
    });
  }
  return flows;
}
