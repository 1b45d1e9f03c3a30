import type { Cpu } from '@rpal/hw-x86';
import {
  type GuestHandler,
  type HandledSignal,
  type HandlerState,
  type Kernel,
  type SignalFrames,
  type Thread,
  type ThreadContext,
  UserBuffer,
  type UserContext,
} from '@rpal/kernel';
import { Errno } from '@rpal/uapi';
import { type AlternateStacks, StackFlag } from './alternate-stack.js';
import { Frame, Info, Register, UC_FLAGS, Xsave, type XsaveLayout, xsaveLayout } from './frame-layout.js';

/** Memory below the stack pointer that belongs to whatever was interrupted. */
const RED_ZONE = 128;
const SA_ONSTACK = 0x0800_0000;
/** Segments of user mode, and flags with interrupts on. */
const USER_CS = 0x33;
const USER_SS = 0x2b;
const EFLAGS = 0x202;
/** Bytes of the SYSCALL instruction: a call that is made again begins there. */
const SYSCALL = 2;
const PKEY_FAULT = 4;
/** Round numbers of the stack: of extended state, and of frames. */
const XSAVE_ALIGNMENT = 64;
const FRAME_ALIGNMENT = 16;

/** Frames of signal handlers as bytes on the user stack, laid out as Linux does on x86-64. */
export class UserFrames implements SignalFrames {
  readonly #kernel: Kernel;
  readonly #stacks: AlternateStacks;
  readonly #layout: XsaveLayout;
  readonly #frame = new UserBuffer(Frame.bytes);
  readonly #state: UserBuffer;

  constructor(kernel: Kernel, stacks: AlternateStacks) {
    this.#kernel = kernel;
    this.#stacks = stacks;
    this.#layout = xsaveLayout(kernel.platform.profile);
    this.#state = new UserBuffer(this.#layout.bytes + Xsave.magicBytes);
  }

  push(cpu: Cpu, thread: Thread, program: ThreadContext, why: HandledSignal, state: HandlerState): number {
    const { action } = why;
    const alternate = this.#stacks.of(thread);
    const nested = this.#stacks.isOn(thread, program.rsp);
    const enters = (action.flags & SA_ONSTACK) !== 0 && alternate.bytes > 0 && !nested;
    let pointer = enters ? alternate.address + alternate.bytes : program.rsp - RED_ZONE;
    pointer -= this.#layout.bytes + Xsave.magicBytes;
    const fpState = pointer - (pointer % XSAVE_ALIGNMENT);
    pointer = fpState - Frame.bytes;
    const frame = pointer - (pointer % FRAME_ALIGNMENT) - 8;
    // It has overrun the stack that it began on.
    if ((enters || nested) && !(frame > alternate.address)) return -Errno.EFAULT;
    this.#writeExtended(state.pkru);
    if (this.#state.store(cpu, thread, fpState, this.#layout.bytes + Xsave.magicBytes) < 0) return -Errno.EFAULT;
    this.#writeFrame(thread, program, why, state, fpState);
    if (this.#frame.store(cpu, thread, frame, Frame.bytes) < 0) return -Errno.EFAULT;
    if ((alternate.flags & StackFlag.AUTODISARM) !== 0 && enters) this.#stacks.reset(thread);
    return frame;
  }

  #writeExtended(pkru: number): void {
    const { bytes, features, pkru: at } = this.#layout;
    const state = this.#state.clear(bytes + Xsave.magicBytes);
    // As after fninit: control word, and MXCSR with its mask.
    state.set16(0, 0x37f).set32(24, 0x1f80).set32(28, 0xffff);
    state
      .set32(Xsave.software, Xsave.MAGIC_1)
      .set32(Xsave.software + 4, bytes + Xsave.magicBytes)
      .set64(Xsave.software + 8, features)
      .set32(Xsave.software + 16, bytes);
    state.set64(Xsave.header, features);
    if (at !== 0) state.set32(at, pkru);
    state.set32(bytes, Xsave.MAGIC_2);
  }

  #writeFrame(thread: Thread, program: ThreadContext, why: HandledSignal, state: HandlerState, fpState: number): void {
    const frame = this.#frame.clear(Frame.bytes);
    const { signal, code, pid, uid, value, valueHigh, fault, action } = why;
    const { restorer = 0 } = action.handler as Partial<GuestHandler>;
    const alternate = this.#stacks.of(thread);
    const used = alternate.bytes === 0 ? StackFlag.DISABLE : this.#stacks.isOn(thread, program.rsp) ? StackFlag.ONSTACK : 0;
    frame.set64(Frame.returnAddress, restorer).set64(Frame.flags, UC_FLAGS);
    frame
      .set64(Frame.stack, alternate.address)
      .set32(Frame.stack + 8, used | alternate.flags)
      .set64(Frame.stack + 16, alternate.bytes);
    for (const [register, content] of this.#registers(program, state)) frame.set64(Frame.registers + 8 * register, content);
    frame.set16(Frame.registers + 144, USER_CS).set16(Frame.registers + 150, USER_SS);
    frame.set64(Frame.oldMask, state.mask.low >>> 0).set64(Frame.fpState, fpState);
    frame.set32(Frame.mask, state.mask.low).set32(Frame.mask + 4, state.mask.high);
    frame.set32(Frame.info + Info.signal, signal);
    if (fault) {
      frame.set32(Frame.info + Info.code, thread.faultCode).set64(Frame.info + Info.address, thread.faultAddress);
      frame.set64(Frame.cr2, thread.faultAddress).set64(Frame.error, thread.faultError).set64(Frame.trap, thread.faultVector);
      if (thread.faultCode === PKEY_FAULT)
        frame.set32(Frame.info + Info.key, thread.memory.areas.containing(thread.faultAddress)?.key ?? 0);
    } else {
      frame
        .set32(Frame.info + Info.code, code)
        .set32(Frame.info + Info.pid, pid)
        .set32(Frame.info + Info.uid, uid);
      frame.set32(Frame.info + Info.value, value).set32(Frame.info + Info.value + 4, valueHigh);
    }
  }

  /** What the general registers hold that the model knows: of a call its number and arguments. */
  #registers(program: ThreadContext, { user, rax, restart }: HandlerState): readonly (readonly [number, number])[] {
    const ip = placeOf(user);
    return [
      [Register.rdi, user.a0],
      [Register.rsi, user.a1],
      [Register.rdx, user.a2],
      [Register.r10, user.a3],
      [Register.r8, user.a4],
      [Register.r9, user.a5],
      [Register.rax, restart ? user.nr : rax],
      [Register.rsp, user === program ? program.rsp : user.rsp],
      [Register.rip, restart ? ip - SYSCALL : ip],
      [Register.eflags, EFLAGS],
    ];
  }

  pop(cpu: Cpu, thread: Thread, state: HandlerState): HandlerState | null {
    const frame = this.#frame;
    const { user } = state;
    const program = thread.frame.user?.program ?? null;
    if (program === null || frame.load(cpu, thread, state.stack, Frame.bytes) < 0) return null;
    const [low, high] = [frame.i32(Frame.mask), frame.i32(Frame.mask + 4)];
    const read = (register: number): number => frame.i64(Frame.registers + 8 * register);
    const [ip, sp, ax] = [read(Register.rip), read(Register.rsp), read(Register.rax)];
    const fpState = frame.u64(Frame.fpState);
    const arguments_ = [Register.rdi, Register.rsi, Register.rdx, Register.r10, Register.r8, Register.r9].map(read);
    const pkru = this.#readPkru(cpu, thread, fpState, state.pkru);
    if (pkru === null) return null;
    this.#stacks.take(cpu, thread, state.stack + Frame.stack, sp);
    const place = placeOf(user);
    user.rsp = sp;
    setArguments(user, arguments_);
    const kept = { ...state, mask: { low, high }, pkru };
    if (state.restart && ip === place - SYSCALL) {
      user.nr = ax;
      return kept;
    }
    if (ip === place) return { ...kept, restart: false, rax: ax };
    // The handler has written another place to go on at into the frame.
    thread.frame.rip = ip;
    return { ...kept, user: this.#kernel.contexts.at(cpu, ip), restart: false, rax: ax };
  }

  /** PKRU from the extended state. @returns what it is where there is no such state, or none to tell it from; null if it cannot be read */
  #readPkru(cpu: Cpu, thread: Thread, at: number, otherwise: number): number | null {
    const { bytes, pkru } = this.#layout;
    const state = this.#state;
    if (at === 0) return otherwise;
    if (state.load(cpu, thread, at, bytes + Xsave.magicBytes) < 0) return null;
    const marked = state.u32(Xsave.software) === Xsave.MAGIC_1 && state.u32(bytes) === Xsave.MAGIC_2;
    if (!marked || pkru === 0) return otherwise;
    // A feature that is not in the header is in its initial state: PKRU allows everything then.
    return (state.u32(Xsave.header) & this.#layout.features & 0x200) === 0 ? 0 : state.u32(pkru);
  }
}

/** The instruction pointer of a flow: a host program is where its continuation leads. */
function placeOf(user: UserContext): number {
  return user.resumeAddress !== 0 ? user.resumeAddress : user.rip;
}

/** The arguments of a restarted call, as the handler may have overwritten them. Fractions are a host program's own, and not in the frame. */
function setArguments(user: UserContext, [a0, a1, a2, a3, a4, a5]: readonly number[]): void {
  const chosen = (before: number, now: number | undefined): number => (now === undefined || Math.floor(before) === now ? before : now);
  user.a0 = chosen(user.a0, a0);
  user.a1 = chosen(user.a1, a1);
  user.a2 = chosen(user.a2, a2);
  user.a3 = chosen(user.a3, a3);
  user.a4 = chosen(user.a4, a4);
  user.a5 = chosen(user.a5, a5);
}
