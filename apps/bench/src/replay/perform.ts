import type { Program } from '@rpal/kernel';
import { LinuxCall, MapFlag, Prot } from '@rpal/uapi';
import { type CallShape, STRUCTURES, type Structure, shapeOf } from './call-shapes.js';
import { get, numberAt, put, type Scratch, store } from './guest-memory.js';
import { numberOf, textOf } from './trace-files.js';
import type { TracedCall } from './trace-line.js';
import type { Value } from './trace-value.js';
import type { Outcome, TracedTask } from './traced-task.js';

const PAGE = 4096;
const MAP_FIXED = 0x10;
const AT_FDCWD = -100;
/** Of wait4: the status in the words of sys/wait.h. */
const WAIT_WORDS = /WIFEXITED.*WEXITSTATUS\(s\) == (\d+)|WIFSIGNALED.*WTERMSIG\(s\) == (\d+)/;

/** Looks at what a call has left in memory. @returns what differs */
type Check = (p: Program, result: number) => Generator<void, string | null>;

/** What a call becomes on its way from the trace into the model. */
interface Laid {
  readonly registers: number[];
  readonly checks: Check[];
  readonly ignored: Set<string>;
}

/** Makes one call of the trace, as the task that made it. @param modelPid the model's number of a process of the trace */
export function* perform(p: Program, task: TracedTask, traced: TracedCall, modelPid: (pid: number) => number): Generator<void, Outcome> {
  const call = traced.name === 'futex' ? { ...traced, args: futexRegisters(traced.args) } : traced;
  const scratch = task.scratch as Scratch;
  scratch.clear();
  const special = specials[call.name];
  if (special !== undefined) return yield* special(p, task, call);
  const shape = shapeOf(call.name, numberOf(call.args[1])) as CallShape;
  const laid: Laid = { registers: [], checks: [], ignored: new Set() };
  for (let i = 0; i < shape.args.length; i++) {
    yield* lay(p, task, call, i, shape.args[i] as string, laid, modelPid);
  }
  if (call.name === 'futex') yield* prepareFutex(p, call, laid);
  const nr = LinuxCall[call.name as keyof typeof LinuxCall];
  const [a0, a1, a2, a3, a4, a5] = laid.registers;
  const result = yield* p.syscall(nr, a0, a1, a2, a3, a4, a5);
  const differences: string[] = [];
  if (result >= 0) {
    for (const check of laid.checks) {
      const difference = yield* check(p, result);
      if (difference !== null) differences.push(difference);
    }
  }
  return { result, differences, ignored: laid.ignored };
}

/** One argument. */
function* lay(
  p: Program,
  task: TracedTask,
  call: TracedCall,
  index: number,
  shape: string,
  laid: Laid,
  modelPid: (pid: number) => number,
): Generator<void, void> {
  const value = call.args[index];
  const scratch = task.scratch as Scratch;
  const next = (register: number) => laid.registers.push(register);
  const isNull = value === undefined || (value.kind === 'number' && value.value === 0);
  switch (shape) {
    case 'int':
      return void next(numberOf(value));
    case 'fd': {
      const fd = numberOf(value);
      return void next(fd === AT_FDCWD ? fd : (task.descriptors.get(fd) ?? fd));
    }
    case 'pid': {
      const pid = numberOf(value);
      if (pid > 0) laid.ignored.add('process ids');
      return void next(pid > 0 ? modelPid(pid) : pid < -1 ? -modelPid(-pid) : pid);
    }
    case 'addr':
      if (!isNull) laid.ignored.add('addresses');
      return void next(isNull ? 0 : yield* addressOf(p, task, numberOf(value), numberOf(call.args[index + 1]) || 8));
    case 'path':
    case 'in':
      if (value?.kind === 'bytes')
        return void next(yield* put(p, scratch, shape === 'path' ? ofModel(value.bytes, modelPid) : value.bytes));
      // A null pointer, or a number where others have a string.
      return void next(shape === 'path' && !isNull ? yield* addressOf(p, task, numberOf(value), PAGE) : numberOf(value));
    case 'out':
      return void next(layOut(scratch, call, index, value, isNull, laid));
    case 'any':
      if (!isNull) laid.ignored.add('times, names and numbers of the computer');
      return void next(isNull ? 0 : yield* cleared(p, scratch, PAGE));
    default:
      return void next(isNull ? 0 : yield* layStructure(p, task, call, index, shape, value, laid));
  }
}

/** A path with numbers of processes and threads, as the model has them. */
function ofModel(path: Uint8Array, modelPid: (pid: number) => number): Uint8Array {
  const text = String.fromCharCode(...path);
  if (!text.startsWith('/proc/')) return path;
  const translated = text.replace(
    /(\/proc\/|\/task\/)(\d+)/g,
    (_all, before: string, pid: string) => `${before}${modelPid(Number(pid)) || pid}`,
  );
  return new TextEncoder().encode(translated);
}

/** Room that a call fills with bytes. */
function layOut(scratch: Scratch, call: TracedCall, index: number, value: Value | undefined, isNull: boolean, laid: Laid): number {
  if (isNull) return 0;
  const room = Math.max(numberOf(call.args[index + 1]), PAGE);
  const at = scratch.room(Math.min(room, 1 << 25));
  if (value?.kind !== 'bytes' || call.result === null || call.result <= 0) return at;
  const wanted = value.bytes.subarray(0, call.name === 'getcwd' ? call.result - 1 : call.result);
  laid.checks.push(function* (p) {
    const found = yield* get(p, at, wanted.length);
    const where = found.findIndex((byte, i) => byte !== wanted[i]);
    return where < 0 ? null : `byte ${where} of its data is ${found[where]}, in the trace ${wanted[where]}`;
  });
  return at;
}

function* cleared(p: Program, scratch: Scratch, bytes: number): Generator<void, number> {
  const at = scratch.room(bytes);
  yield* p.memset(at, 0, bytes);
  return at;
}

/** A structure, by its name behind `>`, `<` or `=`. */
function* layStructure(
  p: Program,
  task: TracedTask,
  call: TracedCall,
  index: number,
  shape: string,
  value: Value,
  laid: Laid,
): Generator<void, number> {
  const scratch = task.scratch as Scratch;
  const name = shape.slice(1);
  const structure = STRUCTURES.get(name);
  if (structure !== undefined) return yield* layFields(p, scratch, structure, shape[0] as string, value, laid);
  switch (name) {
    case 'pair': {
      const at = yield* cleared(p, scratch, 8);
      const wanted = value.kind === 'list' ? value.items.map(numberOf) : [];
      laid.checks.push(function* (q) {
        for (const [i, fd] of wanted.entries()) {
          const found = (yield* q.load32(at + 4 * i)) | 0;
          if (found !== fd) task.descriptors.set(fd, found);
        }
        return null;
      });
      return at;
    }
    case 'word': {
      const at = yield* cleared(p, scratch, 256);
      const first = value.kind === 'list' ? value.items[0] : value;
      if (value.kind === 'list' && first?.kind === 'number') yield* p.store32(at, first.value >>> 0);
      if (shape.startsWith('=')) laid.ignored.add('what ioctl fills in');
      return at;
    }
    case 'offset': {
      const at = yield* cleared(p, scratch, 8);
      yield* p.store64(at, value.kind === 'list' ? numberOf(value.items[0]) : 0);
      return at;
    }
    case 'sigset':
      return yield* laySigset(p, scratch, shape, value, laid);
    case 'sigaction': {
      const at = yield* cleared(p, scratch, 32);
      if (shape.startsWith('>') && value.kind === 'struct') {
        yield* p.store64(at, numberOf(value.fields.get('sa_handler') ?? value.fields.get('sa_sigaction')));
        yield* p.store64(at + 8, numberOf(value.fields.get('sa_flags')));
        yield* p.store64(at + 16, numberOf(value.fields.get('sa_restorer')));
        yield* storeSigset(p, at + 24, value.fields.get('sa_mask'));
      }
      return at;
    }
    case 'sockaddr':
      return yield* laySocketAddress(p, scratch, value);
    case 'status': {
      const at = yield* cleared(p, scratch, 8);
      const words = value.kind === 'list' ? wordsIn(value.items[0]) : '';
      const [, exit, signal] = WAIT_WORDS.exec(words) ?? [];
      if (exit === undefined && signal === undefined) return at;
      const wanted = exit === undefined ? Number(signal) : Number(exit) << 8;
      laid.checks.push(function* (q, result) {
        const found = result > 0 ? yield* q.load32(at) : wanted;
        return (found & ~0x80) === wanted ? null : `the status is 0x${found.toString(16)}, in the trace 0x${wanted.toString(16)}`;
      });
      return at;
    }
    case 'iovec':
      return yield* layVector(p, scratch, shape, value, call.result, laid);
    case 'msghdr':
      return yield* layMessage(p, task, shape, value, call.result, laid);
    case 'pollfds': {
      const items = value.kind === 'list' ? value.items : [];
      const at = yield* cleared(p, scratch, 8 * items.length + 8);
      for (const [i, item] of items.entries()) {
        if (item.kind !== 'struct') continue;
        const fd = numberOf(item.fields.get('fd'));
        yield* p.store32(at + 8 * i, (task.descriptors.get(fd) ?? fd) >>> 0);
        yield* p.store16(at + 8 * i + 4, numberOf(item.fields.get('events')));
      }
      return at;
    }
    case 'epoll_events':
      return yield* layEpollEvents(p, scratch, value, call.result, laid);
    case 'dirents':
      return yield* layEntries(p, scratch, value, numberOf(call.args[index + 1]), laid);
    case 'caphdr': {
      const at = yield* cleared(p, scratch, 8);
      // Of a thread only its own: 0 is the caller.
      if (value.kind === 'struct') yield* p.store32(at, numberOf(value.fields.get('version')));
      return at;
    }
    case 'capdata': {
      const at = yield* cleared(p, scratch, 24);
      for (const [i, field] of ['effective', 'permitted', 'inheritable'].entries()) {
        const [low = 0, high = 0] = capabilityWords(call.text, field);
        yield* p.store32(at + 4 * i, low);
        yield* p.store32(at + 12 + 4 * i, high);
      }
      return at;
    }
    case 'timespecs': {
      const at = yield* cleared(p, scratch, 32);
      const items = value.kind === 'list' ? value.items : [];
      for (const [i, item] of items.entries()) if (item.kind === 'struct') yield* storeTime(p, at + 16 * i, item);
      return at;
    }
    default: {
      // Two times in one: it_interval, it_value.
      const at = yield* cleared(p, scratch, 32);
      if (value.kind !== 'struct') return at;
      for (const [i, field] of ['it_interval', 'it_value'].entries()) {
        const time = value.fields.get(field);
        if (time?.kind === 'struct') yield* storeTime(p, at + 16 * i, time);
      }
      return at;
    }
  }
}

function* storeTime(p: Program, at: number, { fields }: Extract<Value, { kind: 'struct' }>): Generator<void, void> {
  yield* p.store64(at, numberOf(fields.get('tv_sec')));
  yield* p.store64(at + 8, numberOf(fields.get('tv_nsec') ?? fields.get('tv_usec')));
}

function* layFields(
  p: Program,
  scratch: Scratch,
  { size, fields }: Structure,
  way: string,
  value: Value,
  laid: Laid,
): Generator<void, number> {
  const at = yield* cleared(p, scratch, size);
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
  laid.checks.push(function* (q) {
    const memory = yield* get(q, at, size);
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

function isDirectoryIn({ fields }: Extract<Value, { kind: 'struct' }>): boolean {
  return ((numberOf(fields.get('st_mode') ?? fields.get('stx_mode')) >> 12) & 0xf) === 4;
}

function* laySigset(p: Program, scratch: Scratch, shape: string, value: Value, laid: Laid): Generator<void, number> {
  const at = yield* cleared(p, scratch, 8);
  if (shape.startsWith('>')) {
    yield* storeSigset(p, at, value);
  } else if (value.kind === 'list') {
    const [low, high] = bitsOf(value);
    laid.checks.push(function* (q) {
      const found = [yield* q.load32(at), yield* q.load32(at + 4)];
      return found[0] === low && found[1] === high ? null : `the set of signals is ${found.join(':')}, in the trace ${low}:${high}`;
    });
  }
  return at;
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

function* laySocketAddress(p: Program, scratch: Scratch, value: Value): Generator<void, number> {
  const at = yield* cleared(p, scratch, 128);
  if (value.kind !== 'struct') return at;
  yield* p.store16(at, numberOf(value.fields.get('sa_family')));
  const path = value.fields.get('sun_path');
  const abstract = path?.kind === 'words' ? /^@"(.*)"$/.exec(path.text)?.[1] : undefined;
  if (path?.kind === 'bytes') yield* p.storeBytes(at + 2, path.bytes);
  if (abstract !== undefined) yield* p.storeBytes(at + 3, new TextEncoder().encode(abstract));
  return at;
}

function* layVector(p: Program, scratch: Scratch, shape: string, value: Value, result: number | null, laid: Laid): Generator<void, number> {
  const items = value.kind === 'list' ? value.items : [];
  const at = scratch.room(16 * items.length + 16);
  let left = result ?? 0;
  for (const [i, item] of items.entries()) {
    if (item.kind !== 'struct') continue;
    const base = item.fields.get('iov_base');
    const length = numberOf(item.fields.get('iov_len'));
    const bytes = base?.kind === 'bytes' ? base.bytes : new Uint8Array();
    const memory = scratch.room(Math.max(length, 16));
    if (shape.startsWith('>')) {
      if (bytes.length > 0) yield* p.storeBytes(memory, bytes);
    } else {
      const wanted = bytes.subarray(0, Math.max(0, Math.min(left, length)));
      left -= length;
      laid.checks.push(function* (q) {
        const found = yield* get(q, memory, wanted.length);
        const where = found.findIndex((byte, j) => byte !== wanted[j]);
        return where < 0 ? null : `byte ${where} of piece ${i} is ${found[where]}, in the trace ${wanted[where]}`;
      });
    }
    yield* p.store64(at + 16 * i, memory);
    yield* p.store64(at + 16 * i + 8, length);
  }
  return at;
}

/** `struct msghdr` with descriptors and credentials. */
function* layMessage(
  p: Program,
  task: TracedTask,
  shape: string,
  value: Value,
  result: number | null,
  laid: Laid,
): Generator<void, number> {
  const scratch = task.scratch as Scratch;
  const at = yield* cleared(p, scratch, 56);
  if (value.kind !== 'struct') return at;
  const { fields } = value;
  const name = fields.get('msg_name');
  if (shape.startsWith('>') && name?.kind === 'struct') {
    yield* p.store64(at, yield* laySocketAddress(p, scratch, name));
    yield* p.store32(at + 8, numberOf(fields.get('msg_namelen')));
  }
  const vector = fields.get('msg_iov');
  if (vector?.kind === 'list') {
    yield* p.store64(at + 16, yield* layVector(p, scratch, shape, vector, result, laid));
    yield* p.store64(at + 24, vector.items.length);
  }
  const control = fields.get('msg_control');
  const controlBytes = numberOf(fields.get('msg_controllen'));
  if (controlBytes > 0) {
    const memory = yield* cleared(p, scratch, Math.max(controlBytes, 256));
    yield* p.store64(at + 32, memory);
    yield* p.store64(at + 40, controlBytes);
    if (control?.kind === 'list') yield* layControl(p, task, memory, shape, control.items, laid);
  }
  return at;
}

function* layControl(
  p: Program,
  task: TracedTask,
  memory: number,
  shape: string,
  items: readonly Value[],
  laid: Laid,
): Generator<void, void> {
  const SCM_RIGHTS = 1;
  let at = memory;
  for (const item of items) {
    if (item.kind !== 'struct') continue;
    const length = numberOf(item.fields.get('cmsg_len'));
    const type = numberOf(item.fields.get('cmsg_type'));
    const data = item.fields.get('cmsg_data');
    const fds = type === SCM_RIGHTS && data?.kind === 'list' ? data.items.map(numberOf) : [];
    const start = at;
    if (shape.startsWith('>')) {
      yield* p.store64(start, length);
      yield* p.store32(start + 8, numberOf(item.fields.get('cmsg_level')));
      yield* p.store32(start + 12, type);
      for (const [i, fd] of fds.entries()) yield* p.store32(start + 16 + 4 * i, (task.descriptors.get(fd) ?? fd) >>> 0);
      if (data?.kind === 'struct') {
        // Credentials: the model's own.
        const { credentials } = p.context.thread.process;
        for (const [i, id] of [credentials.pid, credentials.uid, credentials.gid].entries()) yield* p.store32(start + 16 + 4 * i, id);
      }
    } else {
      laid.checks.push(function* (q) {
        for (const [i, fd] of fds.entries()) {
          const found = (yield* q.load32(start + 16 + 4 * i)) | 0;
          if (found !== fd) task.descriptors.set(fd, found);
        }
        return null;
      });
    }
    at += Math.ceil(length / 8) * 8;
  }
}

function* layEpollEvents(p: Program, scratch: Scratch, value: Value, result: number | null, laid: Laid): Generator<void, number> {
  const items = value.kind === 'list' ? value.items : [];
  const at = yield* cleared(p, scratch, 1 << 16);
  laid.checks.push(function* (q, found) {
    if (found !== result) return null;
    const wanted = items.map((item) =>
      item.kind === 'struct' ? `${numberOf(item.fields.get('events')).toString(16)}:${dataOf(item.fields.get('data'))}` : '',
    );
    const got: string[] = [];
    for (let i = 0; i < found; i++) got.push(`${(yield* q.load32(at + 12 * i)).toString(16)}:${yield* q.load64(at + 12 * i + 4)}`);
    // The order of several depends on the schedule.
    const differs = got.sort().join(' ') !== wanted.sort().join(' ');
    return differs ? `the events are ${got.join(' ')}, in the trace ${wanted.join(' ')}` : null;
  });
  return at;
}

function dataOf(value: Value | undefined): number {
  return numberOf(value?.kind === 'struct' ? (value.fields.get('u64') ?? value.fields.get('u32')) : value);
}

/** Records of getdents64: the names, in any order. */
function* layEntries(p: Program, scratch: Scratch, value: Value, room: number, laid: Laid): Generator<void, number> {
  const at = yield* cleared(p, scratch, Math.max(room, PAGE));
  const wanted = (value.kind === 'list' ? value.items : []).map((item) =>
    item.kind === 'struct' ? textOf(item.fields.get('d_name')) : '',
  );
  laid.ignored.add('the order of names in a directory');
  laid.checks.push(function* (q, result) {
    const memory = yield* get(q, at, result);
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

/** Where memory of the traced program is in the model. Memory that is not known yet, such as its code, its data and its stack, is mapped now. */
function* addressOf(p: Program, task: TracedTask, address: number, length: number): Generator<void, number> {
  const known = task.addresses.find(address);
  if (known !== null) return known;
  const start = Math.floor(address / PAGE) * PAGE;
  const bytes = Math.ceil((address - start + length) / PAGE) * PAGE;
  const model = yield* p.mmap(0, bytes, Prot.READ | Prot.WRITE, MapFlag.PRIVATE | MapFlag.ANONYMOUS);
  task.addresses.add(start, bytes, model);
  return model + (address - start);
}

/** The arguments of futex in the order of its registers: strace leaves those out that an operation does not have. */
function futexRegisters(args: readonly Value[]): readonly Value[] {
  const none: Value = { kind: 'number', value: 0 };
  const [address = none, operation = none, value = none, third = none, fourth = none] = args;
  switch (numberOf(operation) & 0x7f) {
    case FUTEX_WAIT_BITSET:
      return [address, operation, value, third, none, fourth];
    case FUTEX_WAKE_BITSET:
      return [address, operation, value, none, none, third];
    default:
      return args;
  }
}

const FUTEX_WAKE_BITSET = 10;
const FUTEX_WAIT = 0;
const FUTEX_WAIT_BITSET = 9;
const EAGAIN = -11;

/** The word of a wait is what the trace shows that it was: nobody executes the program's own stores. */
function* prepareFutex(p: Program, { args, result }: TracedCall, { registers }: Laid): Generator<void, void> {
  const operation = numberOf(args[1]) & 0x7f;
  if (operation !== FUTEX_WAIT && operation !== FUTEX_WAIT_BITSET) return;
  const value = numberOf(args[2]);
  yield* p.store32(registers[0] as number, (result === EAGAIN ? value + 1 : value) >>> 0);
  const timeout = args[3];
  if (timeout?.kind === 'struct') yield* storeTime(p, registers[3] as number, timeout);
}

/** Calls about the memory of the traced program. */
const specials: Readonly<Record<string, (p: Program, task: TracedTask, call: TracedCall) => Generator<void, Outcome>>> = {
  *brk(p, task, { args, result }) {
    const wanted = numberOf(args[0]);
    if (task.addresses.breaks === null) {
      const model = yield* p.brk(0);
      task.addresses.breaks = { traced: result ?? 0, end: result ?? 0, model };
      if (wanted === 0) return same(model === 0 ? -1 : (result ?? 0), 'addresses');
    }
    const { breaks } = task.addresses;
    const { traced, model } = breaks;
    const found = yield* p.brk(wanted === 0 ? 0 : wanted - traced + model);
    breaks.end = found - model + traced;
    return same(found - model + traced, 'addresses');
  },
  *mmap(p, task, { args, result }) {
    const [address, length, prot, flags, fd, offset] = args.map(numberOf) as [number, number, number, number, number, number];
    const fixed = (flags & MAP_FIXED) !== 0;
    const at = fixed ? yield* addressOf(p, task, address, length) : 0;
    const found = yield* p.mmap(at, length, prot, flags, task.descriptors.get(fd) ?? fd, offset);
    if (found >= 0 && result !== null && result >= 0 && !fixed) task.addresses.add(result, Math.ceil(length / PAGE) * PAGE, found);
    return same(found >= 0 && result !== null && result >= 0 ? result : found, 'addresses');
  },
  *mremap(p, task, { args, result }) {
    const [address, oldLength, newLength, flags] = args.map(numberOf) as [number, number, number, number];
    const found = yield* p.syscall(LinuxCall.mremap, yield* addressOf(p, task, address, oldLength), oldLength, newLength, flags);
    if (found >= 0 && result !== null && result >= 0) task.addresses.add(result, newLength, found);
    return same(found >= 0 && result !== null && result >= 0 ? result : found, 'addresses');
  },
};

function same(result: number, ignored: string): Outcome {
  return { result, differences: [], ignored: new Set([ignored]) };
}
