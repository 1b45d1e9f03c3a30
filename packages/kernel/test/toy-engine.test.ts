import { definePlugin } from '@rpal/bus';
import { Access, type Cpu, Exception } from '@rpal/hw-x86';
import { Epoll, Errno, OpenFlag, Poll, Signal } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import {
  type ContextTable,
  EI_NIDENT,
  GuestArguments,
  type GuestHandler,
  type HandlerState,
  type Image,
  KernelStep,
  SyscallNumber as Nr,
  type Thread,
  ThreadContext,
  UserBuffer,
} from '../src/index.js';
import { smallMachine } from './support.js';

const Reg = { rax: 0, rdx: 2, rbx: 3, rsp: 4, rsi: 6, rdi: 7, r8: 8, r9: 9, r10: 10 } as const;
const ARGUMENTS = [Reg.rdi, Reg.rsi, Reg.rdx, Reg.r10, Reg.r8, Reg.r9] as const;

type Six = [number, number, number, number, number, number];

/** What one instruction takes, TSC cycles: a slow core, so that timers come between few instructions. */
const INSTRUCTION = 200;

/** Five instructions of x86-64, fetched from guest memory: MOV r64,imm64; MOV [r64],r64; ADD r64,imm8; JNZ rel8; SYSCALL. */
class ToyContext extends ThreadContext {
  readonly args: GuestArguments = new GuestArguments(this);
  readonly #bytes = new Uint8Array(10);
  readonly #code = new DataView(this.#bytes.buffer);
  readonly registers = new Array<number>(16).fill(0);
  readonly #interrupted: [ToyContext['registers'], number, boolean, boolean, ReturnType<ToyContext['saveRegisters']>, HandlerState][] = [];
  #zero = false;

  constructor(contexts: ContextTable, cpu: Cpu, thread: Thread, entry: number) {
    super(contexts, cpu, thread);
    this.rip = entry;
    this.registers[Reg.rsp] = thread.process.stackTop - 0x1000;
  }

  override resume(cpu: Cpu): void {
    this.cpu = cpu;
    this.fresh = true;
    const landing = this.takeLanding();
    if (landing !== 0) this.rip = landing;
    if (this.calling && !this.systemCall()) return;
    while (cpu.context === this && !this.mustYield()) {
      this.fresh = true;
      if (!this.#execute(cpu)) return;
      this.fresh = false;
    }
  }

  /** One instruction. @returns false if the core does something else now: the instruction is executed again, or its call completed */
  #execute(cpu: Cpu): boolean {
    for (let i = 0; i < 10; i++) {
      const at = this.reach(this.rip + i, Access.user | Access.fetch);
      if (at < 0) return false;
      this.#bytes[i] = cpu.memory.read8(at);
    }
    const [prefix = 0, opcode = 0, modrm = 0] = this.#bytes;
    cpu.chargeCycles(KernelStep.userWork, INSTRUCTION);
    if (prefix === 0x0f && opcode === 0x05) return this.#syscall();
    if (prefix === 0x75) {
      this.rip += 2 + (this.#zero ? 0 : this.#code.getInt8(1));
    } else if ((opcode & 0xf8) === 0xb8) {
      this.#set((opcode & 7) + 8 * (prefix & 1), Number(this.#code.getBigInt64(2, true)));
      this.rip += 10;
    } else if (opcode === 0x89) {
      const at = this.reach(this.#get(modrm & 7), Access.user | Access.write);
      if (at < 0) return false;
      cpu.memory.write64(at, this.#get((modrm >> 3) & 7));
      this.rip += 3;
    } else if (opcode === 0x83) {
      const sum = this.#get(modrm & 7) + this.#code.getInt8(3);
      this.#set(modrm & 7, sum);
      this.#zero = sum === 0;
      this.rip += 4;
    } else {
      cpu.trap.exception(cpu, Exception.invalidOpcode, 0);
      return false;
    }
    return true;
  }

  #syscall(): boolean {
    const [a0, a1, a2, a3, a4, a5] = ARGUMENTS.map((register) => this.registers[register] as number) as Six;
    this.restoreRegisters({ nr: this.rax, a0, a1, a2, a3, a4, a5, text: '' });
    this.rip += 2;
    if (this.systemCall()) return true;
    if (!this.calling) this.rip -= 2;
    return false;
  }

  #get(register: number): number {
    return register === Reg.rax ? this.rax : (this.registers[register] as number);
  }

  #set(register: number, value: number): void {
    if (register === Reg.rax) this.rax = value;
    else this.registers[register] = value;
  }

  override child(cpu: Cpu, thread: Thread): ToyContext {
    const child = new ToyContext(this.contexts, cpu, thread, this.rip);
    for (let register = 0; register < 16; register++) child.#set(register, this.#get(register));
    child.rax = 0;
    return child;
  }

  override enterHandler(_cpu: Cpu, handler: object, signal: number, _value: number, state: HandlerState): number {
    this.#interrupted.push([[...this.registers], this.rip, this.#zero, this.calling, this.saveRegisters(), state]);
    this.calling = false;
    this.registers[Reg.rdi] = signal;
    this.rip = (handler as GuestHandler).address;
    return 0;
  }

  override leaveHandler(): HandlerState | null {
    const frame = this.#interrupted.pop();
    if (frame === undefined) return null;
    const [registers, rip, zero, calling, call, state] = frame;
    for (let register = 1; register < 16; register++) this.#set(register, registers[register] as number);
    this.rip = rip;
    this.#zero = zero;
    this.calling = calling;
    this.restoreRegisters(call);
    return state;
  }
}

/** A little assembler. */
const mov = (register: number, value: number): number[] => {
  const code = new DataView(new ArrayBuffer(8));
  code.setBigInt64(0, BigInt(value), true);
  return [register < 8 ? 0x48 : 0x49, 0xb8 + (register & 7), ...new Uint8Array(code.buffer)];
};
const store = (base: number, register: number): number[] => [0x48, 0x89, (register << 3) | base];
const add = (register: number, value: number): number[] => [0x48, 0x83, 0xc0 | register, value & 0xff];
const jnz = (displacement: number): number[] => [0x75, (displacement - 2) & 0xff];
const call = (nr: number, ...args: number[]): number[] => [
  ...args.flatMap((value, i) => mov(ARGUMENTS[i] as number, value)),
  ...mov(Reg.rax, nr),
  0x0f,
  0x05,
];
/** A call whose result the program reports. */
const tell = (nr: number, ...args: number[]): number[] => [
  ...call(nr, ...args),
  ...mov(Reg.rbx, DATA),
  ...store(Reg.rbx, Reg.rax),
  ...call(REPORT, DATA, 1),
];

const CODE = 0x40_0000;
/** The first 8 bytes of the data are where `tell` leaves results. */
const DATA = 0x50_0000;
const PAGE = 4096;
const REPORT = 1000;

/** The data of a program: what is put into it, and where it is. */
class Data {
  readonly view = new DataView(new ArrayBuffer(2 * PAGE));
  #next = 16;

  room(bytes: number): number {
    const at = this.#next;
    this.#next += Math.ceil(bytes / 8) * 8;
    return DATA + at;
  }

  text(text: string): number {
    const at = this.room(text.length + 1);
    for (let i = 0; i < text.length; i++) this.view.setUint8(at - DATA + i, text.charCodeAt(i));
    return at;
  }

  longs(...values: number[]): number {
    const at = this.room(8 * values.length);
    for (const [i, value] of values.entries()) this.view.setBigInt64(at - DATA + 8 * i, BigInt(value), true);
    return at;
  }
}

function image(name: string, code: readonly number[], data = new Data()): Image {
  return {
    name,
    ident: new Uint8Array(EI_NIDENT),
    pie: false,
    dynamic: false,
    segments: [
      { address: CODE, bytes: 4 * PAGE, prot: 7 },
      { address: DATA, bytes: 64 * PAGE, prot: 3 },
    ],
    start: (contexts, cpu, thread) => {
      const load = (address: number, bytes: Uint8Array) => {
        const buffer = new UserBuffer(bytes.length);
        new Uint8Array(buffer.view.buffer).set(bytes);
        expect(buffer.store(cpu, thread, address, bytes.length)).toBe(0);
      };
      load(CODE, Uint8Array.from(code));
      load(DATA, new Uint8Array(data.view.buffer));
      return new ToyContext(contexts, cpu, thread, CODE);
    },
  };
}

/** Runs images to their end. @returns the words that each has reported with system call 1000, by name, and how it ended */
function execute(...images: Image[]) {
  const reports: Record<string, number[]> = {};
  const reporting = definePlugin({
    name: 'reporting',
    version: '1.0.0',
    setup({ plugin, syscalls }) {
      const buffer = new UserBuffer(8);
      const report = (cpu: Cpu, thread: Thread, { a0, a1 }: { a0: number; a1: number }): number => {
        for (let i = 0; i < a1; i++) {
          if (buffer.load(cpu, thread, a0 + 8 * i, 8) < 0) return -Errno.EFAULT;
          reports[thread.name] = [...(reports[thread.name] ?? []), buffer.i64(0)];
        }
        return 0;
      };
      syscalls.define(REPORT, report, { name: 'report', plugin });
    },
  });
  const machine = smallMachine({ plugins: [reporting()] });
  const processes = images.map((program, i) => machine.spawn(program, i));
  machine.run({ deaths: 'report' });
  return { reports, processes, machine };
}

/** The text in a word. */
function textOf(word: number): string {
  const bytes = new DataView(new ArrayBuffer(8));
  bytes.setBigInt64(0, BigInt(word), true);
  return new TextDecoder().decode(bytes.buffer);
}

describe('machine code in guest memory', () => {
  it('is executed: a loop of three instructions, interrupted by timers and by others on its CPU', () => {
    const count = [...mov(Reg.rbx, 0), ...mov(Reg.rsi, -20_000), ...add(Reg.rbx, 3), ...add(Reg.rsi, 1), ...jnz(-8)];
    const end = [...mov(Reg.rdi, DATA), ...store(Reg.rdi, Reg.rbx), ...call(REPORT, DATA, 1), ...call(Nr.exit_group, 0)];
    const pinned = [...call(Nr.sched_setaffinity, 0, 8, DATA + 8), ...count, ...end];
    const data = new Data();
    data.view.setUint8(8, 1);
    const { reports, machine } = execute(image('one', pinned, data), image('other', pinned, data));
    expect(reports).toEqual({ one: [60_000], other: [60_000] });
    expect(machine.platform.cpus[0]?.interruptsTaken).toBeGreaterThan(0);
    expect(machine.kernel.scheduler.runQueues[0]?.switches, 'they have taken turns').toBeGreaterThan(3);
  });

  it('makes system calls with strings and structures in its memory', () => {
    const data = new Data();
    const path = data.text('/dev/shm/toy');
    const [hello, world, into] = [data.text('hello, '), data.text('world'), data.room(16)];
    const vectors = data.longs(hello, 7, world, 5);
    const back = data.longs(into + 3, 3, into, 3);
    // An epoll_event is packed: the data of the second lie across a page border.
    const event = DATA + PAGE - 8;
    data.view.setUint32(event - DATA, Poll.IN, true);
    data.view.setBigUint64(event - DATA + 4, 0x1234_5678_9abcn, true);
    const [fds, events, timeout] = [data.room(8), data.room(16), data.longs(0, 5_000_000)];
    const { O, open } = { O: OpenFlag, open: [-100, path] as const };
    const code = [
      ...tell(Nr.openat, ...open, 0),
      ...tell(Nr.openat, ...open, O.CREAT | O.RDWR),
      ...tell(Nr.writev, 0, vectors, 2),
      ...tell(Nr.lseek, 0, 4, 0),
      ...tell(Nr.readv, 0, back, 2),
      ...call(REPORT, into, 1),
      ...tell(Nr.pipe2, fds, 0),
      ...call(REPORT, fds, 1),
      ...tell(Nr.epoll_create1, 0),
      ...tell(Nr.epoll_ctl, 3, Epoll.CTL_ADD, 1, event),
      ...tell(Nr.epoll_pwait2, 3, events, 1, timeout, 0, 8),
      ...tell(Nr.write, 2, hello, 7),
      ...tell(Nr.epoll_wait, 3, events, 1, -1),
      ...tell(Nr.epoll_ctl, 3, Epoll.CTL_MOD, 1, 8),
      ...call(REPORT, events, 1),
      ...tell(Nr.exit_group, 7),
    ];
    const { reports, processes } = execute(image('toy', code, data));
    expect(reports.toy?.slice(0, 5)).toEqual([-Errno.ENOENT, 0, 12, 4, 6]);
    // "hello, world" from its fifth letter on: the first three letters behind the others.
    expect(textOf(reports.toy?.[5] ?? 0)).toBe('woro, \0\0');
    expect(reports.toy?.slice(6)).toEqual([0, 1 + 2 * 2 ** 32, 3, 0, 0, 7, 1, -Errno.EFAULT, Poll.IN + 0x5678_9abc * 2 ** 32]);
    expect(processes[0]?.exit).toMatchObject({ status: 7, signal: 0 });
  });

  it('faults pages in on demand, and dies of SIGSEGV where there are none', () => {
    const touch = (address: number) => [...mov(Reg.rbx, address), ...store(Reg.rbx, Reg.rbx)];
    const far = DATA + 60 * PAGE;
    const code = [...touch(far), ...call(REPORT, far, 1), ...touch(0x7000_0000), ...call(REPORT, far, 1)];
    const { reports, processes } = execute(image('toy', code));
    expect(reports.toy).toEqual([far]);
    expect(processes[0]?.exit).toMatchObject({ signal: Signal.SEGV, address: 0x7000_0000 });
  });

  it('takes signals: a handler runs between two instructions, or ends a call with EINTR', () => {
    const data = new Data();
    const HANDLER = CODE + 2 * PAGE;
    const action = data.longs(HANDLER, 0, 0, 0);
    const second = data.longs(0, 10_000_000);
    const main = [
      ...tell(Nr.rt_sigaction, Signal.USR1, action, 0, 8),
      ...call(Nr.getpid),
      ...mov(Reg.rdi, DATA + 8),
      ...store(Reg.rdi, Reg.rax),
      ...call(REPORT, DATA + 8, 1),
      ...tell(Nr.kill, 1, Signal.USR1),
      ...call(Nr.fork),
      // The parent goes on behind the child's part, which sends the signal once more.
      ...add(Reg.rax, 0),
    ];
    const child = [...call(Nr.nanosleep, second, 0), ...call(Nr.kill, 1, Signal.USR1), ...call(Nr.exit_group, 0)];
    const parent = [...tell(Nr.pause), ...tell(Nr.wait4, -1, DATA + 8, 0, 0), ...call(REPORT, DATA + 8, 1), ...call(Nr.exit_group, 0)];
    const code = [...main, ...jnz(child.length + 2), ...child, ...parent];
    const handler = [...mov(Reg.rbx, DATA), ...store(Reg.rbx, Reg.rdi), ...call(REPORT, DATA, 1), ...call(Nr.rt_sigreturn)];
    const whole = [...code, ...new Array<number>(2 * PAGE - code.length).fill(0), ...handler];
    const { reports } = execute(image('toy', whole, data));
    expect(reports.toy).toEqual([0, 1, Signal.USR1, 0, Signal.USR1, -Errno.EINTR, 2, 0]);
  });
});
