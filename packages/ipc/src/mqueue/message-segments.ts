import { type Cpu, PAGE_SIZE } from '@rpal/hw-x86';
import { chargeLargerObject } from '@rpal/mm';
import { chargeCopy } from '@rpal/vfs';
import { IpcStep } from '../steps.js';

/** Bytes of a page that the head of a message takes, and that of each further segment (Linux: `DATALEN_MSG`, `DATALEN_SEG`). */
const MESSAGE_HEAD = 48;
const SEGMENT_HEAD = 8;
/** The object of the message that was counted. */
const COUNTED_OBJECT = 64;
/** Largest objects in one slab: those of further segments lie in others, which do not take them back as quickly. */
const OBJECTS = 8;

/** What the bytes of a message take on their way into segments of kernel memory, each an object of its own (Linux: `load_msg`). */
export function chargeLoadedMessage(cpu: Cpu, length: number): void {
  forEachSegment(length, (part, object) => {
    cpu.charge(IpcStep.messageSegmentIn);
    chargeLargerObject(cpu, object, COUNTED_OBJECT);
    chargeCopy(cpu, IpcStep.messageCopy, part);
  });
}

/** What they take on their way out, with the end of the segments (Linux: `store_msg`, `free_msg`). */
export function chargeStoredMessage(cpu: Cpu, length: number): void {
  forEachSegment(length, (part, _, index) => {
    cpu.charge(IpcStep.messageSegmentOut);
    if (index >= OBJECTS) cpu.charge(IpcStep.messageFreeElsewhere);
    chargeCopy(cpu, IpcStep.messageCopy, part);
  });
}

/** Calls `each` with the bytes of each segment of a message, with the size of the object that holds it, and its number (Linux: `alloc_msg`). */
function forEachSegment(length: number, each: (bytes: number, object: number, index: number) => void): void {
  let head = MESSAGE_HEAD;
  let left = length;
  let index = 0;
  do {
    const part = Math.min(left, PAGE_SIZE - head);
    each(part, 1 << (32 - Math.clz32(part + head - 1)), index++);
    left -= part;
    head = SEGMENT_HEAD;
  } while (left > 0);
}
