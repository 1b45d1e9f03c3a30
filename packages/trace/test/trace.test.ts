import { mechanisms, pingPong } from '@rpal/compare';
import { profiles } from '@rpal/hw-x86';
import protobuf from 'protobufjs';
import { describe, expect, it } from 'vitest';
import { ftraceText, perfettoTrace, Recorder, type Recording, speedscopeTrace, tracksOf } from '../src/index.js';

const [server] = profiles;
const profile = { ...server!, topology: { sockets: 1, coresPerSocket: 2, threadsPerCore: 1, coresPerCache: 2, memoryPerSocket: 1 } };

function recorded(name: string, messages = 3): { recording: Recording; fingerprint: string } {
  const mechanism = mechanisms.find((candidate) => candidate.name === name)!;
  const recorder = new Recorder();
  const machine = { profile, plugins: [recorder.plugin] };
  const { fingerprint } = pingPong(mechanism, {
    machine,
    size: 32,
    cpus: [0, 1],
    waiting: mechanism.waits[0]!,
    messages,
    warmUp: 10,
    watch: recorder,
  });
  return { recording: recorder.recording, fingerprint };
}

/** The same messages as the writer has, from the published field numbers; decoded by another library. */
const { root } = protobuf.parse(`syntax = "proto2";
  message Trace { repeated TracePacket packet = 1; }
  message TracePacket { optional uint64 timestamp = 8; optional uint32 trusted_packet_sequence_id = 10; optional TrackEvent track_event = 11; optional uint32 sequence_flags = 13; optional TrackDescriptor track_descriptor = 60; }
  message TrackDescriptor { optional uint64 uuid = 1; optional string name = 2; optional uint64 parent_uuid = 5; optional CounterDescriptor counter = 8; }
  message CounterDescriptor { optional string unit_name = 6; }
  message TrackEvent { enum Type { TYPE_UNSPECIFIED = 0; SLICE_BEGIN = 1; SLICE_END = 2; INSTANT = 3; COUNTER = 4; } repeated DebugAnnotation debug_annotations = 4; optional Type type = 9; optional uint64 track_uuid = 11; repeated string categories = 22; optional string name = 23; optional int64 counter_value = 30; repeated fixed64 flow_ids = 47; repeated fixed64 terminating_flow_ids = 48; }
  message DebugAnnotation { optional uint64 uint_value = 3; optional int64 int_value = 4; optional string string_value = 6; optional string name = 10; }`);

interface Packet {
  timestamp?: number;
  sequenceFlags?: number;
  trackDescriptor?: { uuid: number; name: string; parentUuid?: number; counter?: object };
  trackEvent?: { type: string; trackUuid: number; name?: string; counterValue?: number; flowIds?: number[]; terminatingFlowIds?: number[] };
}

function decoded(bytes: Uint8Array): readonly Packet[] {
  const type = root.lookupType('Trace');
  return (type.toObject(type.decode(bytes), { longs: Number, enums: String }) as { packet: Packet[] }).packet;
}

describe('a recording', () => {
  it('changes nothing about the run', () => {
    const mechanism = mechanisms.find(({ name }) => name === 'unix')!;
    const plain = pingPong(mechanism, { machine: { profile }, size: 32, cpus: [0, 1], waiting: 'sleep', messages: 3, warmUp: 10 });
    expect(recorded('unix').fingerprint).toBe(plain.fingerprint);
  });

  it('holds what a trip through pipes is made of, in order', () => {
    const { events } = recorded('pipe', 1).recording;
    const times = events.map(({ time }) => time);
    expect(times).toEqual([...times].sort((a, b) => a - b));
    const story = events
      .filter(({ kind }) => ['call begin', 'call end', 'put', 'taken', 'wake-up'].includes(kind))
      .map((event) => ('who' in event && event.who.tid === 1 ? `client ${event.kind}` : `server ${event.kind}`));
    // The wake-up of the server is by the client, of whom it is not.
    expect(story.slice(0, 3)).toEqual(['client call begin', 'client put', 'server wake-up']);
    expect(story.filter((line) => line.endsWith('put'))).toHaveLength(2);
    expect(story.filter((line) => line.endsWith('taken'))).toHaveLength(2);
  });

  it('of RPAL has lazy switches, states of the receiver, and rights', () => {
    const { recording } = recorded('rpal');
    const kinds = new Set(recording.events.map(({ kind }) => kind));
    expect([...kinds]).toEqual(expect.arrayContaining(['lazy switch', 'receiver state', 'rights']));
    const { tracks, counters } = tracksOf(recording);
    const receiver = tracks.find(({ group }) => group === 'RPAL receivers');
    expect(new Set(receiver?.slices.map(({ name }) => name))).toContain('CALL');
    expect(counters.map(({ name }) => name)).toContain('PKRU of CPU 0');
  });
});

describe('tracks', () => {
  it.each(['pipe', 'unix', 'futex', 'rpal', 'spin'])(
    'have slices that follow each other or lie within each other, inside the recording: %s',
    (name) => {
      const { recording } = recorded(name);
      for (const { slices } of tracksOf(recording).tracks) {
        const open: number[] = [];
        let last = recording.begin;
        for (const { begin, end } of slices) {
          expect(begin).toBeGreaterThanOrEqual(last);
          expect(end).toBeGreaterThanOrEqual(begin);
          expect(end).toBeLessThanOrEqual(recording.end);
          while (open.length > 0 && open.at(-1)! <= begin) open.pop();
          if (open.length > 0) expect(end).toBeLessThanOrEqual(open.at(-1)!);
          open.push(end);
          last = begin;
        }
      }
    },
  );

  it('have an arrow for every message and for every wake-up, forward in time', () => {
    const { flows } = tracksOf(recorded('pipe', 5).recording);
    expect(flows.filter(({ name }) => name === 'message')).toHaveLength(10);
    expect(flows.filter(({ name }) => name === 'wake-up').length).toBeGreaterThanOrEqual(9);
    for (const { from, to } of flows) expect(to.time).toBeGreaterThanOrEqual(from.time);
  });
});

describe("perfetto's protobuf", () => {
  it('is read by another decoder: as many beginnings as ends on each track, in the order of time', () => {
    const { recording } = recorded('unix');
    const packets = decoded(perfettoTrace(recording));
    expect(packets[0]?.sequenceFlags).toBe(1);
    const names = new Map(
      packets.flatMap(({ trackDescriptor: track }) => (track === undefined ? [] : [[track.uuid, track.name] as const])),
    );
    expect([...names.values()]).toEqual(expect.arrayContaining(['CPUs', 'CPU 0', 'CPU 1', 'Threads', 'client 1']));
    const depth = new Map<number, number>();
    let last = 0;
    for (const { timestamp = 0, trackEvent } of packets) {
      if (trackEvent === undefined) continue;
      expect(timestamp).toBeGreaterThanOrEqual(last);
      last = timestamp;
      const { type, trackUuid } = trackEvent;
      expect(names.has(trackUuid)).toBe(true);
      if (type === 'SLICE_BEGIN') depth.set(trackUuid, (depth.get(trackUuid) ?? 0) + 1);
      if (type === 'SLICE_END') {
        expect(depth.get(trackUuid)).toBeGreaterThan(0);
        depth.set(trackUuid, (depth.get(trackUuid) as number) - 1);
      }
    }
    expect([...depth.values()].every((open) => open === 0)).toBe(true);
  });

  it('has both ends of every flow', () => {
    const packets = decoded(perfettoTrace(recorded('pipe').recording));
    const begins = packets.flatMap(({ trackEvent }) => trackEvent?.flowIds ?? []);
    const ends = packets.flatMap(({ trackEvent }) => trackEvent?.terminatingFlowIds ?? []);
    expect(begins.length).toBeGreaterThan(0);
    expect([...ends].sort()).toEqual([...begins].sort());
  });

  it("counts PKRU, whose value is the hardware's word", () => {
    const packets = decoded(perfettoTrace(recorded('rpal').recording));
    const values = packets.flatMap(({ trackEvent }) => (trackEvent?.type === 'COUNTER' ? [trackEvent.counterValue as number] : []));
    expect(values.length).toBeGreaterThan(3);
    for (const value of values) expect(value).toBe(value >>> 0);
  });
});

describe('ftrace text', () => {
  it("has the kernel's events under the kernel's names", () => {
    const text = ftraceText(recorded('pipe').recording);
    const lines = text.trimEnd().split('\n').slice(4);
    for (const line of lines) expect(line).toMatch(/^ *\S+-\d+ \[\d{3}\] \.{5} \d+\.\d{9}: \w+: /);
    expect(text).toMatch(/sched_switch: prev_comm=swapper\/1 prev_pid=0 .* ==> next_comm=client next_pid=2 /);
    expect(text).toMatch(/sched_wakeup: comm=\w+ pid=\d+ prio=120 target_cpu=\d{3}/);
    expect(text).toContain('sys_enter_write: ');
  });
});

describe("speedscope's file", () => {
  it('opens and closes its frames in order, and ends where it says', () => {
    const { profiles: views, shared } = speedscopeTrace('a trip', recorded('unix').recording);
    expect(views.length).toBeGreaterThan(3);
    for (const { events, startValue, endValue } of views) {
      const open: number[] = [];
      let last = startValue;
      for (const { type, frame, at } of events) {
        expect(at).toBeGreaterThanOrEqual(last);
        expect(shared.frames[frame]).toBeDefined();
        if (type === 'O') open.push(frame);
        else expect(open.pop()).toBe(frame);
        last = at;
      }
      expect(open).toEqual([]);
      expect(endValue).toBe(last);
    }
  });
});
