import { PbfWriter } from 'pbf';
import type { Recording } from './recording.js';
import { type Slice, tracksOf } from './tracks.js';

/**
 * Field numbers of perfetto's protos, as of its documents "Writing TrackEvent protos synthetically" and "Converting arbitrary timestamped
 * data".
 */
const Field = {
  trace: { packet: 1 },
  packet: { timestamp: 8, sequenceId: 10, trackEvent: 11, sequenceFlags: 13, trackDescriptor: 60 },
  descriptor: { uuid: 1, name: 2, parent: 5, counter: 8 },
  event: { annotations: 4, type: 9, track: 11, categories: 22, name: 23, counter: 30, flows: 47, terminatingFlows: 48 },
  annotation: { uintValue: 3, intValue: 4, stringValue: 6, name: 10 },
} as const;

const Type = { BEGIN: 1, END: 2, INSTANT: 3, COUNTER: 4 } as const;

/** Everything is written by one sequence, whose state begins with its first packet. */
const SEQUENCE = 1;
const STATE_CLEARED = 1;

/** One event of a track, with what is to be written about it. */
interface Entry {
  readonly time: number;
  /** Among entries of one time: ends come before beginnings, longer slices before those in them. */
  readonly rank: number;
  readonly type: number;
  readonly track: number;
  readonly name?: string;
  readonly category?: string;
  readonly details?: Readonly<Record<string, string | number>>;
  readonly value?: number;
  readonly flows?: readonly number[];
  readonly ends?: readonly number[];
}

/**
 * A recording as perfetto's protobuf: tracks for CPUs, threads and receivers, counters, and flows from sender to receiver and from a
 * wake-up
 * to the switch. Open it at ui.perfetto.dev, which does not upload it. Times are nanoseconds from the beginning of the recording; the
 * exact cycle is
 * with each slice.
 */
export function perfettoTrace(recording: Recording): Uint8Array {
  const { begin, tscGHz } = recording;
  const { tracks, counters, flows } = tracksOf(recording);
  const pbf = new PbfWriter();
  const ids = new Map<string, number>();
  let id = 0;
  let first = true;
  const packet = (write: (out: PbfWriter) => void): void => {
    pbf.writeMessage(
      Field.trace.packet,
      (_: null, out: PbfWriter) => {
        write(out);
        out.writeVarintField(Field.packet.sequenceId, SEQUENCE);
        if (first) out.writeVarintField(Field.packet.sequenceFlags, STATE_CLEARED);
        first = false;
      },
      null,
    );
  };
  const declare = (name: string, parent: number | null, counter: boolean): number => {
    const uuid = ++id;
    packet((out) =>
      out.writeMessage(
        Field.packet.trackDescriptor,
        (_: null, body: PbfWriter) => {
          body.writeVarintField(Field.descriptor.uuid, uuid);
          body.writeStringField(Field.descriptor.name, name);
          if (parent !== null) body.writeVarintField(Field.descriptor.parent, parent);
          if (counter) body.writeMessage(Field.descriptor.counter, () => {}, null);
        },
        null,
      ),
    );
    return uuid;
  };
  const groups = new Map<string, number>();
  for (const { name, group } of tracks) {
    if (!groups.has(group)) groups.set(group, declare(group, null, false));
    ids.set(name, declare(name, groups.get(group) as number, false));
  }
  const entries: Entry[] = [];
  for (const track of tracks) {
    const uuid = ids.get(track.name) as number;
    for (const slice of track.slices) entries.push(...sliceEntries(slice, uuid, begin));
    for (const { name, time, details } of track.moments) entries.push({ time, rank: 2, type: Type.INSTANT, track: uuid, name, details });
  }
  for (const { name, values } of counters) {
    const uuid = declare(name, null, true);
    for (const [time, value] of values) entries.push({ time, rank: 2, type: Type.COUNTER, track: uuid, value });
  }
  for (const [index, { name, from, to }] of flows.entries()) {
    const flow = index + 1;
    entries.push(
      { time: from.time, rank: 3, type: Type.INSTANT, track: ids.get(from.track) as number, name: `${name} leaves`, flows: [flow] },
      { time: to.time, rank: 3, type: Type.INSTANT, track: ids.get(to.track) as number, name: `${name} arrives`, ends: [flow] },
    );
  }
  entries.sort((a, b) => a.time - b.time || a.rank - b.rank);
  for (const entry of entries) {
    packet((out) => {
      out.writeVarintField(Field.packet.timestamp, Math.round((entry.time - begin) / tscGHz));
      out.writeMessage(Field.packet.trackEvent, writeEntry, entry);
    });
  }
  return pbf.finish();
}

function sliceEntries({ name, category, begin, end, details }: Slice, track: number, origin: number): readonly Entry[] {
  const cycles = { 'begins at cycle': begin - origin, cycles: end - begin };
  return [
    // Of slices that begin at the same time, the longest is the outermost.
    { time: begin, rank: 1 + 1 / (2 + end - begin), type: Type.BEGIN, track, name, category, details: { ...cycles, ...details } },
    { time: end, rank: 0, type: Type.END, track },
  ];
}

function writeEntry({ type, track, name, category, details, value, flows = [], ends = [] }: Entry, out: PbfWriter): void {
  for (const [key, detail] of Object.entries(details ?? {})) out.writeMessage(Field.event.annotations, writeDetail, [key, detail] as const);
  out.writeVarintField(Field.event.type, type);
  out.writeVarintField(Field.event.track, track);
  if (category !== undefined) out.writeStringField(Field.event.categories, category);
  if (name !== undefined) out.writeStringField(Field.event.name, name);
  if (value !== undefined) out.writeVarintField(Field.event.counter, value);
  for (const flow of flows) out.writeFixed64Field(Field.event.flows, flow);
  for (const flow of ends) out.writeFixed64Field(Field.event.terminatingFlows, flow);
}

function writeDetail([key, detail]: readonly [string, string | number], out: PbfWriter): void {
  if (typeof detail === 'string') out.writeStringField(Field.annotation.stringValue, detail);
  else if (detail >= 0) out.writeVarintField(Field.annotation.uintValue, detail);
  else out.writeVarintField(Field.annotation.intValue, detail);
  out.writeStringField(Field.annotation.name, key);
}
