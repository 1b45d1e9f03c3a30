import { LinuxCall, MapFlag, Prot } from '@rpal/uapi';
import type { LaidCall } from './laid-call.js';
import { numberOf } from './trace-files.js';
import type { Outcome } from './traced-task.js';

const PAGE = 4096;

/** Where memory of the traced program is in the model. Memory that is not known yet, such as its code, its data and its stack, is mapped now. */
export function* addressOf({ p, task }: Pick<LaidCall, 'p' | 'task'>, address: number, length: number): Generator<void, number> {
  const known = task.addresses.find(address);
  if (known !== null) return known;
  const start = Math.floor(address / PAGE) * PAGE;
  const bytes = Math.ceil((address - start + length) / PAGE) * PAGE;
  const model = yield* p.mmap(0, bytes, Prot.READ | Prot.WRITE, MapFlag.PRIVATE | MapFlag.ANONYMOUS);
  task.addresses.add(start, bytes, model);
  return model + (address - start);
}

/** Calls whose result is an address, which is another one in the model. */
export const memoryCalls: Readonly<Record<string, (laid: LaidCall) => Generator<void, Outcome>>> = {
  *brk({ p, task, call: { args, result } }) {
    const wanted = numberOf(args[0]);
    if (task.addresses.breaks === null) {
      const model = yield* p.brk(0);
      task.addresses.breaks = { traced: result ?? 0, end: result ?? 0, model };
      if (wanted === 0) return ofAddress(model === 0 ? -1 : (result ?? 0));
    }
    const { breaks } = task.addresses;
    const { traced, model } = breaks;
    const found = yield* p.brk(wanted === 0 ? 0 : wanted - traced + model);
    breaks.end = found - model + traced;
    return ofAddress(found - model + traced);
  },
  *mmap(laid) {
    const { p, task, call } = laid;
    const { args, result } = call;
    const [address, length, prot, flags, fd, offset] = args.map(numberOf) as [number, number, number, number, number, number];
    const fixed = (flags & MapFlag.FIXED) !== 0;
    const at = fixed ? yield* addressOf(laid, address, length) : 0;
    const found = yield* p.mmap(at, length, prot, flags, laid.descriptor(fd), offset);
    if (!bothThere(found, result)) return ofAddress(found);
    if (!fixed) task.addresses.add(result, Math.ceil(length / PAGE) * PAGE, found);
    return ofAddress(result);
  },
  *mremap(laid) {
    const { p, task, call } = laid;
    const { args, result } = call;
    const [address, oldLength, newLength, flags] = args.map(numberOf) as [number, number, number, number];
    const found = yield* p.syscall(LinuxCall.mremap, yield* addressOf(laid, address, oldLength), oldLength, newLength, flags);
    if (!bothThere(found, result)) return ofAddress(found);
    task.addresses.add(result, newLength, found);
    return ofAddress(result);
  },
};

function bothThere(found: number, result: number | null): result is number {
  return found >= 0 && result !== null && result >= 0;
}

function ofAddress(result: number): Outcome {
  return { result, differences: [], ignored: new Set(['addresses']) };
}
