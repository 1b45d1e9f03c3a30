import type { Program } from '@rpal/kernel';
import { STRUCTURES, type Structure, type Way } from './call-shapes.js';
import { get, numberAt, store } from './guest-memory.js';
import type { LaidCall } from './laid-call.js';
import { layMessage, laySocketAddress, layVector } from './messages.js';
import { numberOf, textOf } from './trace-files.js';
import type { Value } from './trace-value.js';

const PAGE = 4096;
/** Of wait4: the status in the words of sys/wait.h. */
const WAIT_WORDS = /WIFEXITED.*WEXITSTATUS\(s\) == (\d+)|WIFSIGNALED.*WTERMSIG\(s\) == (\d+)/;

type Fields = Extract<Value, { kind: 'struct' }>;
type Layer = (laid: LaidCall, value: Value, way: Way, index: number) => Generator<void, number>;

/** Lays a structure out in the program's memory. @param shape the way and its name @param index of the argument @returns its address */
export function layStructure(laid: LaidCall, shape: string, value: Value, index: number): Generator<void, number> {
  const way = shape[0] as Way;
  const name = shape.slice(1);
  const structure = STRUCTURES.get(name);
  return structure === undefined ? (layers[name] as Layer)(laid, value, way, index) : layFields(laid, structure, way, value);
}

/** Structures that are more than numbers at their places. */
const layers: Readonly<Record<string, Layer>> = {
  iovec: layVector,
  msghdr: layMessage,
  sockaddr: laySocketAddress,
  *pair(laid, value) {
    const at = yield* laid.cleared(8);
    laid.descriptorsAfterwards(at, itemsOf(value).map(numberOf));
    return at;
  },
  *word(laid, value, way) {
    const at = yield* laid.cleared(256);
    const [first] = itemsOf(value);
    if (first?.kind === 'number') yield* laid.p.store32(at, first.value >>> 0);
    if (way === '=') laid.ignored.add('what ioctl fills in');
    return at;
  },
  *offset(laid, value) {
    const at = yield* laid.cleared(8);
    yield* laid.p.store64(at, numberOf(itemsOf(value)[0]));
    return at;
  },
  *sigset(laid, value, way) {
    const { p } = laid;
    const at = yield* laid.cleared(8);
    if (way === '>') {
      yield* storeSigset(p, at, value);
    } else if (value.kind === 'list') {
      const [low, high] = bitsOf(value);
      laid.afterwards(function* () {
        const found = [yield* p.load32(at), yield* p.load32(at + 4)];
        return found[0] === low && found[1] === high ? null : `the set of signals is ${found.join(':')}, in the trace ${low}:${high}`;
      });
    }
    return at;
  },
  *sigaction(laid, value, way) {
    const { p } = laid;
    const at = yield* laid.cleared(32);
    if (way !== '>' || value.kind !== 'struct') return at;
    yield* p.store64(at, numberOf(value.fields.get('sa_handler') ?? value.fields.get('sa_sigaction')));
    yield* p.store64(at + 8, numberOf(value.fields.get('sa_flags')));
    yield* p.store64(at + 16, numberOf(value.fields.get('sa_restorer')));
    yield* storeSigset(p, at + 24, value.fields.get('sa_mask'));
    return at;
  },
  *status(laid, value) {
    const { p } = laid;
    const at = yield* laid.cleared(8);
    const [, exit, signal] = WAIT_WORDS.exec(wordsIn(itemsOf(value)[0])) ?? [];
    if (exit === undefined && signal === undefined) return at;
    const wanted = exit === undefined ? Number(signal) : Number(exit) << 8;
    laid.afterwards(function* (result) {
      const found = result > 0 ? yield* p.load32(at) : wanted;
      return (found & ~0x80) === wanted ? null : `the status is 0x${found.toString(16)}, in the trace 0x${wanted.toString(16)}`;
    });
    return at;
  },
  *pollfds(laid, value) {
    const items = itemsOf(value);
    const at = yield* laid.cleared(8 * items.length + 8);
    for (const [i, item] of items.entries()) {
      if (item.kind !== 'struct') continue;
      yield* laid.p.store32(at + 8 * i, laid.descriptor(numberOf(item.fields.get('fd'))) >>> 0);
      yield* laid.p.store16(at + 8 * i + 4, numberOf(item.fields.get('events')));
    }
    return at;
  },
  *epoll_events(laid, value) {
    const { p } = laid;
    const at = yield* laid.cleared(1 << 16);
    laid.afterwards(function* (found) {
      if (found !== laid.call.result) return null;
      const wanted = itemsOf(value).map((item) =>
        item.kind === 'struct' ? `${numberOf(item.fields.get('events')).toString(16)}:${dataOf(item.fields.get('data'))}` : '',
      );
      const got: string[] = [];
      for (let i = 0; i < found; i++) got.push(`${(yield* p.load32(at + 12 * i)).toString(16)}:${yield* p.load64(at + 12 * i + 4)}`);
      // The order of several depends on the schedule.
      const differs = got.sort().join(' ') !== wanted.sort().join(' ');
      return differs ? `the events are ${got.join(' ')}, in the trace ${wanted.join(' ')}` : null;
    });
    return at;
  },
  /** Records of getdents64: the names, in any order. */
  *dirents(laid, value, _way, index) {
    const { p, call } = laid;
    const at = yield* laid.cleared(Math.max(numberOf(call.args[index + 1]), PAGE));
    const wanted = itemsOf(value).map((item) => (item.kind === 'struct' ? textOf(item.fields.get('d_name')) : ''));
    laid.ignored.add('the order of names in a directory');
    laid.afterwards(function* (result) {
      const memory = yield* get(p, at, result);
      const found: string[] = [];
      for (let i = 0; i < result; i += numberAt(memory, i + 16, 2)) {
        const end = memory.indexOf(0, i + 19);
        found.push(String.fromCharCode(...memory.subarray(i + 19, end)));
      }
      return found.sort().join('/') === wanted.sort().join('/')
        ? null
        : `the names are ${found.join(', ')}, in the trace ${wanted.join(', ')}`;
    });
    return at;
  },
  *caphdr(laid, value) {
    const at = yield* laid.cleared(8);
    // Of a thread only its own: 0 is the caller.
    if (value.kind === 'struct') yield* laid.p.store32(at, numberOf(value.fields.get('version')));
    return at;
  },
  *capdata(laid) {
    const at = yield* laid.cleared(24);
    for (const [i, field] of ['effective', 'permitted', 'inheritable'].entries()) {
      const [low = 0, high = 0] = capabilityWords(laid.call.text, field);
      yield* laid.p.store32(at + 4 * i, low);
      yield* laid.p.store32(at + 12 + 4 * i, high);
    }
    return at;
  },
  *timespecs(laid, value) {
    const at = yield* laid.cleared(32);
    for (const [i, item] of itemsOf(value).entries()) if (item.kind === 'struct') yield* storeTime(laid.p, at + 16 * i, item);
    return at;
  },
  itimerspec: layInterval,
  itimerval: layInterval,
};

/** Two times in one. */
function* layInterval(laid: LaidCall, value: Value): Generator<void, number> {
  const at = yield* laid.cleared(32);
  if (value.kind !== 'struct') return at;
  for (const [i, field] of ['it_interval', 'it_value'].entries()) {
    const time = value.fields.get(field);
    if (time?.kind === 'struct') yield* storeTime(laid.p, at + 16 * i, time);
  }
  return at;
}

/** A structure of numbers. */
function* layFields(laid: LaidCall, { size, fields }: Structure, way: Way, value: Value): Generator<void, number> {
  const { p } = laid;
  const at = yield* laid.cleared(size);
  if (value.kind !== 'struct') return at;
  if (way !== '<') {
    for (const [name, { offset, bytes }] of fields) {
      const field = value.fields.get(name);
      if (field?.kind === 'number') yield* store(p, at + offset, bytes, bytes === 8 ? field.value : field.value >>> 0);
    }
    const data = value.fields.get('data');
    if (data !== undefined) yield* p.store64(at + 4, numberOf(data.kind === 'struct' ? data.fields.get('u64') : data));
  }
  if (way === '>') return at;
  laid.afterwards(function* () {
    const memory = yield* get(p, at, size);
    for (const [name, { offset, bytes, compared }] of fields) {
      const wanted = value.fields.get(name);
      if (!compared || wanted?.kind !== 'number') continue;
      // How much disk a directory takes depends on the file system.
      if (name.endsWith('_size') && isDirectoryIn(value)) continue;
      const found = numberAt(memory, offset, bytes);
      if (found !== wanted.value) return `${name} is ${found}, in the trace ${wanted.value}`;
    }
    return null;
  });
  return at;
}

/** Stores a timespec or a timeval. */
export function* storeTime(p: Program, at: number, { fields }: Fields): Generator<void, void> {
  yield* p.store64(at, numberOf(fields.get('tv_sec')));
  yield* p.store64(at + 8, numberOf(fields.get('tv_nsec') ?? fields.get('tv_usec')));
}

function itemsOf(value: Value): readonly Value[] {
  return value.kind === 'list' ? value.items : [];
}

function isDirectoryIn({ fields }: Fields): boolean {
  return ((numberOf(fields.get('st_mode') ?? fields.get('stx_mode')) >> 12) & 0xf) === 4;
}

function* storeSigset(p: Program, at: number, value: Value | undefined): Generator<void, void> {
  const [low, high] = bitsOf(value);
  yield* p.store32(at, low);
  yield* p.store32(at + 4, high);
}

function bitsOf(value: Value | undefined): [low: number, high: number] {
  const bits: [number, number] = [0, 0];
  if (value?.kind !== 'list') return bits;
  for (const item of value.items) {
    const signal = numberOf(item);
    const word = signal > 32 ? 1 : 0;
    bits[word] = (bits[word] | (1 << ((signal - 1) % 32))) >>> 0;
  }
  return value.inverted ? [~bits[0] >>> 0, ~bits[1] >>> 0] : bits;
}

function dataOf(value: Value | undefined): number {
  return numberOf(value?.kind === 'struct' ? (value.fields.get('u64') ?? value.fields.get('u32')) : value);
}

/** A set of capabilities, whose two words strace joins with |. */
function capabilityWords(text: string, field: string): number[] {
  const [, words] = new RegExp(`${field}=([0-9a-fx|]+)`).exec(text) ?? [];
  return (words ?? '0').split('|').map(Number);
}

function wordsIn(value: Value | undefined): string {
  if (value?.kind === 'words') return value.text;
  return value?.kind === 'struct' ? [...value.fields.values()].map(wordsIn).join(' ') : '';
}
