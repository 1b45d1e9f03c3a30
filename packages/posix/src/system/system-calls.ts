import { PAGE_SIZE } from '@rpal/hw-x86';
import { Capability, UserBuffer } from '@rpal/kernel';
import { accessOk } from '@rpal/mm';
import { Errno } from '@rpal/uapi';
import { importedLength } from '@rpal/vfs';
import { type Calls, nowOf } from '../calls.js';
import type { TraitTable } from '../identity/traits.js';
import { PosixStep } from '../steps.js';
import { putInt } from '../user-memory.js';

/** Bytes of a field of `struct new_utsname`, which has six. */
const UTS_FIELD = 65;
const HOST_NAME_MAX = 64;

const Grnd = { NONBLOCK: 1, RANDOM: 2, INSECURE: 4 } as const;
/** Bytes that come out of making a key, and of each block behind it. */
const FIRST_RANDOM = 32;
const RANDOM_BLOCK = 64;
/** Random bytes are made in pieces of so many at most. */
const PIECE = 4096;

/** Bytes of `struct sysinfo`, and where its fields lie. */
const SYSINFO = 112;

/** Personalities: the execution domain in the low byte, flags above. A query leaves it alone. */
const PERSONALITY_QUERY = 0xffff_ffff;

/** The system as a whole: its name, its memory, its random numbers. */
export function defineSystemCalls(calls: Calls, traits: TraitTable): void {
  const { kernel } = calls;
  const buffer = new UserBuffer(PIECE);
  const names = { host: 'model', domain: '(none)' };

  calls.define('uname', (cpu, thread, { a0 }) => {
    cpu.charge(PosixStep.systemName);
    const fields = ['Linux', names.host, '6.15.0', '#1 SMP PREEMPT_DYNAMIC', 'x86_64', names.domain];
    buffer.clear(6 * UTS_FIELD);
    fields.forEach((text, field) => {
      for (let i = 0; i < text.length; i++) buffer.view.setUint8(field * UTS_FIELD + i, text.charCodeAt(i));
    });
    return buffer.store(cpu, thread, a0, 6 * UTS_FIELD) < 0 ? -Errno.EFAULT : 0;
  });

  for (const [call, field] of [
    ['sethostname', 'host'],
    ['setdomainname', 'domain'],
  ] as const) {
    calls.define(call, (cpu, thread, { a0, a1 }) => {
      cpu.charge(PosixStep.structure);
      const length = a1 | 0;
      if (!thread.process.capable(Capability.SYS_ADMIN)) return -Errno.EPERM;
      if (length < 0 || length > HOST_NAME_MAX) return -Errno.EINVAL;
      if (buffer.load(cpu, thread, a0, length) < 0) return -Errno.EFAULT;
      names[field] = buffer.text(0, length);
      return 0;
    });
  }

  // From the machine's own generator: the same program gets the same bytes whenever it is run.
  calls.define('getrandom', (cpu, thread, { a0, a1, a2 }) => {
    const both = Grnd.INSECURE | Grnd.RANDOM;
    if ((a2 & ~(Grnd.NONBLOCK | both)) !== 0 || (a2 & both) === both) return -Errno.EINVAL;
    const wanted = importedLength(a1);
    if (!accessOk(a0, wanted)) return -Errno.EFAULT;
    cpu.charge(PosixStep.random);
    const blocks = (bytes: number): number => Math.ceil(Math.max(0, bytes - FIRST_RANDOM) / RANDOM_BLOCK);
    const { rng } = kernel.platform;
    for (let done = 0; done < wanted; done += PIECE) {
      const part = Math.min(PIECE, wanted - done);
      cpu.chargeTimes(PosixStep.randomBlock, blocks(done + part) - blocks(done));
      for (let i = 0; i < part; i += 4) buffer.set32(i, rng.next32());
      if (buffer.copy(cpu, thread, a0 + done, part) === 0) continue;
      // What there is memory for is filled.
      const room = PAGE_SIZE - ((a0 + done) % PAGE_SIZE);
      const filled = room < part && buffer.copy(cpu, thread, a0 + done, room) === 0 ? done + room : done;
      return filled > 0 ? filled : -Errno.EFAULT;
    }
    return wanted;
  });

  calls.define(
    'sysinfo',
    (cpu, thread, { a0 }) => {
      cpu.charge(PosixStep.systemInfo);
      const { totalFrames, frames } = kernel.memory;
      const processes = [...kernel.processes];
      const threads = processes.reduce((sum, process) => sum + process.threads.length, 0);
      buffer
        .clear(SYSINFO)
        .set64(0, Math.floor(nowOf(cpu) / 1e9))
        .set64(32, totalFrames * PAGE_SIZE)
        .set64(40, (totalFrames - frames.inUse) * PAGE_SIZE)
        .set16(80, threads)
        .set32(104, 1);
      return buffer.store(cpu, thread, a0, SYSINFO) < 0 ? -Errno.EFAULT : 0;
    },
    { missing: 'load averages, buffers and swap are 0' },
  );

  calls.define(
    'personality',
    (cpu, { process }, { a0 }) => {
      cpu.charge(PosixStep.identity);
      const before = traits.of(process).personality;
      const wanted = a0 >>> 0;
      if (wanted !== PERSONALITY_QUERY) traits.of(process).personality = wanted;
      return before | 0;
    },
    { missing: 'flags are kept and read back, but change nothing' },
  );

  calls.define('getcpu', (cpu, thread, { a0, a1 }) => {
    cpu.charge(PosixStep.ownField);
    const failed = a0 === 0 ? 0 : putInt(cpu, thread, a0, cpu.id);
    return failed < 0 || a1 === 0 ? failed : putInt(cpu, thread, a1, cpu.socket);
  });
}
