import { type Cpu, Pointer, Touch } from '@rpal/hw-x86';
import { FdRecord, FdSlot, QUEUE_WORDS, SlotUse } from '../layouts.js';
import type { LibProcess } from '../process/lib-process.js';
import { FAULTED, NO_SLOT, slotAddress } from '../routine/fd-slots.js';
import { follow, LibCall, reach, StepEnd } from '../routine/lib-call.js';
import { nextWord } from '../routine/words.js';

/** `rpal_read_ptrs`: takes words from a descriptor's queue. */
export class ReadPtrsCall extends LibCall {
  process!: LibProcess;
  fd = 0;
  pointers = 0;
  length = 0;
  readonly #slot = new Pointer();
  readonly #entry = new Pointer();

  protected override steps(cpu: Cpu): StepEnd {
    const { memory } = cpu;
    const { process } = this;
    if (process.fdTable === 0 && !process.quirk('read-before-init-faults')) return this.finish(-1);
    const place = slotAddress(cpu, process.fdTable, this.fd);
    if (place === NO_SLOT) return this.finish(-1);
    if (place === FAULTED) return StepEnd.FAULT;
    this.#slot.address = place;
    const slot = follow(cpu, this.#slot, Touch.STORE);
    if (slot < 0) return StepEnd.FAULT;
    const use = memory.read32(slot + FdSlot.use);
    if (use < SlotUse.AVAILABLE) return this.finish(-1);
    this.#entry.address = memory.read64(slot + FdSlot.record);
    if (this.#entry.address === 0) {
      if (process.leavesReference) memory.write32(slot + FdSlot.use, use + 1);
      return this.finish(-1);
    }
    const entry = follow(cpu, this.#entry, Touch.STORE);
    if (entry < 0) return StepEnd.FAULT;
    if (memory.read32(entry + FdRecord.outdated) !== 0) return this.finish(-1);
    const head = memory.read32(entry + FdRecord.head);
    const waiting = (memory.read32(entry + FdRecord.tail) - head) | 0;
    if (this.length < 0 && !process.quirk('negative-read-length')) return this.finish(-1);
    // A negative length is a large one without a sign.
    const count = this.length < 0 ? waiting : Math.min(this.length, waiting);
    let to = count > 0 ? reach(cpu, this.pointers, Touch.STORE) : 0;
    if (to < 0 || (count > 1 && reach(cpu, this.pointers + 8 * (count - 1), Touch.STORE) < 0)) return StepEnd.FAULT;
    if (count > 0) process.handover.take(cpu, this.context.thread, 8 * count);
    cpu.chargeBytes(process.steps.readPtrs, 8 * count);
    for (let i = 0; i < count; i++) {
      const from = entry + FdRecord.words + 8 * ((head + i) & (QUEUE_WORDS - 1));
      memory.write32(to, memory.read32(from));
      memory.write32(to + 4, memory.read32(from + 4));
      if (i + 1 < count) to = nextWord(cpu, to, this.pointers + 8 * i, Touch.STORE);
    }
    memory.write32(entry + FdRecord.head, (head + count) | 0);
    return this.finish(count);
  }
}
