import { type Cpu, Touch } from '@rpal/hw-x86';
import { HostArguments, type ProgramContext, UserContext } from '@rpal/kernel';
import { FiberFrame } from '../layouts.js';
import { reach, StepEnd } from './lib-call.js';

/**
 * Saves a context below the stack pointer as fcontext's `jump` does: only what a function call must preserve. The resume address leads back.
 * @returns false if the stack faults
 */
export function saveFrame(cpu: Cpu, context: UserContext): boolean {
  const frame = reach(cpu, handleOf(context), Touch.STORE);
  if (frame < 0) return false;
  cpu.memory.write64(frame + FiberFrame.rbp, context.rsp);
  cpu.memory.write64(frame + FiberFrame.rip, context.resumeAddress);
  return true;
}

/** The handle of a context that `saveFrame` saves: the address of the frame. */
export function handleOf(context: UserContext): number {
  return context.rsp - FiberFrame.size;
}

/**
 * Leaves `from` for the context whose frame is at `handle`, with two result registers for it.
 * @returns false if the frame cannot be read
 */
export function jump(cpu: Cpu, from: UserContext, handle: number, rax: number, rdx: number): boolean {
  const frame = reach(cpu, handle, Touch.LOAD);
  if (frame < 0) return false;
  const target = from.contexts.at(cpu, cpu.memory.read64(frame + FiberFrame.rip));
  target.rax = rax;
  target.rdx = rdx;
  enter(cpu, target);
  return true;
}

/** The core goes on in `target`. */
export function enter(cpu: Cpu, target: UserContext): void {
  target.cpu = cpu;
  cpu.context = target;
}

/**
 * A flow of library code on a stack of its own. It starts from the beginning each time it is entered: what an earlier run left on the
 * stack is gone.
 */
export abstract class Fiber extends UserContext {
  readonly args: HostArguments = new HostArguments(this);
  protected state = 0;

  /** Makes a fresh stack: the next turn begins at the beginning. */
  restart(): void {
    this.state = 0;
    this.calling = false;
    this.landing = 0;
  }

  override resume(cpu: Cpu): void {
    this.cpu = cpu;
    this.fresh = true;
    while (cpu.context === this && !this.mustYield()) {
      const end = this.step(cpu);
      if (end === StepEnd.AWAY) return;
      if (end !== StepEnd.FAULT) continue;
      this.fresh = true;
      if (!this.pageFault() && this.landing === 0) return;
    }
  }

  abstract override get program(): ProgramContext;

  protected abstract step(cpu: Cpu): StepEnd;

  /** As in `LibCall`. */
  protected syscall(nr: number, next: number, a0 = 0, a1 = 0, a2 = 0, a3 = 0): StepEnd {
    if (!this.calling) {
      this.nr = nr;
      this.a0 = a0;
      this.a1 = a1;
      this.a2 = a2;
      this.a3 = a3;
      this.fresh = true;
    }
    if (!this.systemCall()) return StepEnd.AWAY;
    this.state = next;
    return StepEnd.NEXT;
  }
}
