import type { Cpu } from '@rpal/hw-x86';
import { ReceiverState, RPAL_ERROR_MAGIC, RpalFlag, SenderState } from '../abi/constants.js';
import { Rcc, Scc } from '../abi/layouts.js';
import { keysOf } from '../memory/pkey.js';
import type { Rpal } from '../rpal.js';
import type { RpalTask } from '../services/thread.js';
import { RpalStep } from '../steps.js';
import { callWord, compareExchange, isDying, moveReceiver } from '../threads/states.js';

/**
 * Takes a sender that cannot go on back to where it armed its recovery point (patches 14, 22, 26). The FS base is not
 * touched. @returns false if it has none
 */
export function recover(rpal: Rpal, cpu: Cpu, thread: RpalTask): boolean {
  if ((thread.rpal.flags & RpalFlag.SENDER) === 0) return false;
  cpu.charge(RpalStep.recover);
  rebuildReceiver(rpal, cpu, thread);
  const { scc } = thread.rpal.role;
  if (cpu.memory.read32(scc + Scc.magic) !== RPAL_ERROR_MAGIC) return false;
  const { frame } = thread;
  const foreign = thread.rpal.service?.isCorrect(frame.user?.rip ?? 0) === false;
  const erip = cpu.memory.read64(scc + Scc.erip);
  frame.user = rpal.kernel.contexts.at(cpu, erip);
  frame.user.rsp = cpu.memory.read64(scc + Scc.ersp);
  frame.rip = erip;
  frame.rax = -1;
  cpu.memory.write32(scc + Scc.magic, 0);
  if (foreign && !rpal.quirk('recovery-credits-nothing')) {
    const slice = cpu.clock - cpu.memory.read64(scc + Scc.startTime);
    cpu.memory.write64(scc + Scc.totalTime, cpu.memory.read64(scc + Scc.totalTime) + slice);
  }
  const { rpalRecovery } = rpal.instruments.events;
  if (rpalRecovery.observed) rpalRecovery.emit(cpu.id, cpu.clock, thread, erip);
  rpal.loadRights(cpu, keysOf(thread.rpal.service, null));
  return true;
}

/** A sender ends or fails in the middle of a call: the receiver it had called can be called again (patch 22). */
export function rebuildReceiver(rpal: Rpal, cpu: Cpu, thread: RpalTask): void {
  const { service } = thread.rpal;
  const sender = thread.rpal.role;
  if (service === null || cpu.memory.read32(sender.scc + Scc.magic) !== RPAL_ERROR_MAGIC) return;
  const fsBase = cpu.memory.read64(sender.scc + Scc.fsbase);
  if (service.isCorrect(fsBase)) return;
  const receiver = service.peerAt(fsBase)?.service?.fsBases.find((entry) => entry.fsBase === fsBase)?.thread ?? null;
  if (receiver === null || isDying(rpal, receiver)) return;
  const { rcc } = receiver.rpal.role;
  const calling = callWord(rpal, cpu, sender);
  if (cpu.memory.read32(rcc + Rcc.receiverState) !== calling) return;
  if (compareExchange(cpu, rcc + Rcc.senderState, SenderState.CALL, SenderState.KERNEL_RET) === SenderState.CALL)
    rpal.instruments.senderState(cpu, rcc, 4, SenderState.CALL, SenderState.KERNEL_RET);
  rpal.between(cpu, 'receiver rebuilt: sender state set');
  moveReceiver(rpal, cpu, rcc, 12, calling, ReceiverState.WAIT);
}
