import type { Cpu } from '@rpal/hw-x86';
import { type Process, type Thread, UserBuffer } from '@rpal/kernel';
import { autoremoveWake, type Scheduler, SleepTimer, sleepSlack, TaskState, WaitEntry, WaitQueue } from '@rpal/sched';
import { Errno, Ipc } from '@rpal/uapi';
import { begin, type Operation, Pending } from '@rpal/vfs';
import { type Calls, nowOf } from '../calls.js';
import { PosixStep } from '../steps.js';
import { getTime, Unit } from '../user-memory.js';
import { IPC_64, IpcInfo, type IpcObject, IpcTable, layPerm, mayControl, mayUse, Perm, Right, takePerm } from './ipc-table.js';

/** Sets there may be, semaphores in one, operations of one call, and the largest value. */
const Limit = { SETS: 32_000, SEMAPHORES: 32_000, OPERATIONS: 500, VALUE: 32_767 } as const;
const Semctl = { GETPID: 11, GETVAL: 12, GETALL: 13, GETNCNT: 14, GETZCNT: 15, SETVAL: 16, SETALL: 17 } as const;
const SEM_UNDO = 0x1000;
/** Bytes of `struct sembuf`, and of `struct semid64_ds`. */
const SEMBUF = 6;
const SEMID_DS = 104;

interface SemaphoreOperation {
  readonly number: number;
  readonly change: number;
  readonly flags: number;
}

/** A set of semaphores. */
interface SemaphoreSet extends IpcObject {
  readonly values: number[];
  /** Who changed each last. */
  readonly pids: number[];
  readonly changed: WaitQueue;
  readonly waiting: Set<Wait>;
  removed: boolean;
  operated: number;
  created: number;
}

/** What the kernel gives back for a process when it ends (SEM_UNDO): by set, for each semaphore. */
type Undo = Map<SemaphoreSet, number[]>;

/** The semaphores of a machine. */
class Semaphores {
  readonly table = new IpcTable<SemaphoreSet>(Limit.SETS);
  readonly #undo = new WeakMap<Process, Undo>();

  /** Does all of the operations, or none. @returns 0; a negative errno; or the index of the operation that has to wait, plus 1 */
  attempt(process: Process, set: SemaphoreSet, operations: readonly SemaphoreOperation[]): number {
    const values = [...set.values];
    const undo = this.#undo.get(process)?.get(set) ?? [];
    const back = [...undo];
    for (const [index, { number, change, flags }] of operations.entries()) {
      const value = values[number] as number;
      const next = value + change;
      if (change === 0 ? value !== 0 : next < 0) return index + 1;
      if (next > Limit.VALUE) return -Errno.ERANGE;
      values[number] = next;
      if ((flags & SEM_UNDO) === 0) continue;
      const sum = (back[number] ?? 0) - change;
      if (sum < -Limit.VALUE - 1 || sum > Limit.VALUE) return -Errno.ERANGE;
      back[number] = sum;
    }
    set.values.splice(0, values.length, ...values);
    for (const { number } of operations) set.pids[number] = process.pid;
    if (operations.some(({ flags }) => (flags & SEM_UNDO) !== 0)) {
      const all = this.#undo.get(process) ?? new Map<SemaphoreSet, number[]>();
      this.#undo.set(process, all.set(set, back));
    }
    return 0;
  }

  /** Setting a value discards what processes would give back. */
  forget(processes: Iterable<Process>, set: SemaphoreSet, number: number): void {
    for (const process of processes) {
      const back = this.#undo.get(process)?.get(set);
      if (back !== undefined) back[number] = 0;
    }
  }

  /** A process ends: what it has taken with SEM_UNDO is given back. */
  exit(cpu: Cpu, process: Process): void {
    for (const [set, back] of this.#undo.get(process) ?? []) {
      if (set.removed) continue;
      back.forEach((change, number) => {
        set.values[number] = Math.max(0, Math.min(Limit.VALUE, (set.values[number] as number) + change));
        if (change !== 0) set.pids[number] = process.pid;
      });
      set.changed.wakeAll(cpu);
    }
    this.#undo.delete(process);
  }
}

/** A call that waits for a set to change. */
class Wait implements Operation {
  readonly #semaphores: Semaphores;
  readonly #set: SemaphoreSet;
  readonly #thread: Thread;
  readonly #operations: readonly SemaphoreOperation[];
  readonly #entry: WaitEntry;
  readonly #timer: SleepTimer;
  #expired = false;
  /** The operation that it waits for. */
  blocking: SemaphoreOperation | null = null;

  constructor(
    semaphores: Semaphores,
    scheduler: Scheduler,
    cpu: Cpu,
    thread: Thread,
    set: SemaphoreSet,
    operations: readonly SemaphoreOperation[],
    timeout: number,
  ) {
    this.#semaphores = semaphores;
    this.#set = set;
    this.#thread = thread;
    this.#operations = operations;
    this.#entry = new WaitEntry(autoremoveWake(scheduler), thread);
    this.#timer = new SleepTimer(scheduler, (on) => {
      this.#expired = true;
      scheduler.wakeUp(on, thread);
    });
    if (timeout >= 0) this.#timer.start(cpu, timeout, sleepSlack(thread));
  }

  step(cpu: Cpu): number {
    const thread = this.#thread;
    const set = this.#set;
    thread.state = TaskState.RUNNING;
    set.changed.remove(cpu, this.#entry);
    const result = set.removed ? -Errno.EIDRM : this.#semaphores.attempt(thread.process, set, this.#operations);
    if (result <= 0) return this.#end(cpu, result);
    this.blocking = this.#operations[result - 1] as SemaphoreOperation;
    if ((this.blocking.flags & Ipc.NOWAIT) !== 0 || this.#expired) return this.#end(cpu, -Errno.EAGAIN);
    if (thread.signalPending) return this.#end(cpu, -Errno.EINTR);
    set.waiting.add(this);
    set.changed.addTail(cpu, this.#entry);
    thread.prepareToSleep(cpu, TaskState.INTERRUPTIBLE, set.changed);
    return Pending.SLEEP;
  }

  #end(cpu: Cpu, result: number): number {
    this.#timer.stop();
    this.#set.waiting.delete(this);
    if (result !== 0) return result;
    this.#set.operated = Math.floor(nowOf(cpu) / 1e9);
    if (this.#operations.some(({ change }) => change !== 0)) this.#set.changed.wakeAll(cpu);
    return 0;
  }
}

/** semget, semop, semtimedop and semctl. */
export function defineSemaphoreCalls(calls: Calls): void {
  const { kernel, hooks, plugin } = calls;
  const semaphores = new Semaphores();
  const { table } = semaphores;
  const buffer = new UserBuffer(SEMID_DS);

  calls.define('semget', (cpu, thread, { a0, a1, a2 }) => {
    cpu.charge(PosixStep.ipcLookUp);
    const count = a1 | 0;
    if (count < 0 || count > Limit.SEMAPHORES) return -Errno.EINVAL;
    return table.open(
      thread,
      a0 | 0,
      a2 | 0,
      ({ values }) => (count > values.length ? -Errno.EINVAL : 0),
      (common) => {
        if (count === 0) return -Errno.EINVAL;
        const zeroes = (): number[] => new Array<number>(count).fill(0);
        const created = Math.floor(nowOf(cpu) / 1e9);
        return {
          ...common,
          values: zeroes(),
          pids: zeroes(),
          changed: new WaitQueue('semaphores'),
          waiting: new Set<Wait>(),
          removed: false,
          operated: 0,
          created,
        };
      },
    );
  });

  const operate = (cpu: Cpu, thread: Thread, id: number, at: number, count: number, timeout: number): number => {
    cpu.charge(PosixStep.semaphore);
    if (count > Limit.OPERATIONS) return -Errno.E2BIG;
    if (count < 1) return -Errno.EINVAL;
    const operations: SemaphoreOperation[] = [];
    for (let index = 0; index < count; index++) {
      if (buffer.load(cpu, thread, at + SEMBUF * index, SEMBUF) < 0) return -Errno.EFAULT;
      operations.push({ number: buffer.u16(0), change: buffer.view.getInt16(2, true), flags: buffer.view.getInt16(4, true) });
    }
    if (id < 0 || timeout < -1) return -Errno.EINVAL;
    const set = table.get(id);
    if (set === undefined) return -Errno.EINVAL;
    if (operations.some(({ number }) => number >= set.values.length)) return -Errno.EFBIG;
    const changes = operations.some(({ change }) => change !== 0);
    if (!mayUse(thread, set, changes ? Right.WRITE : Right.READ)) return -Errno.EACCES;
    return begin(cpu, thread, new Wait(semaphores, kernel.scheduler, cpu, thread, set, operations, timeout));
  };

  calls.define('semop', (cpu, thread, { a0, a1, a2 }) => operate(cpu, thread, a0 | 0, a1, a2 >>> 0, -1));
  calls.define('semtimedop', (cpu, thread, { a0, a1, a2, a3 }) => {
    const time = a3 === 0 ? 0 : getTime(cpu, thread, a3, Unit.TIMESPEC);
    if (time === -Errno.EFAULT) return time;
    return operate(cpu, thread, a0 | 0, a1, a2 >>> 0, a3 === 0 ? -1 : time);
  });

  calls.define('semctl', (cpu, thread, { a0, a1, a2, a3 }) => {
    cpu.charge(PosixStep.ipcLookUp);
    const [id, number, command] = [a0 | 0, a1 | 0, (a2 | 0) & ~IPC_64];
    if (id < 0) return -Errno.EINVAL;
    if (command === Semctl.SETVAL && ((a3 | 0) < 0 || (a3 | 0) > Limit.VALUE)) return -Errno.ERANGE;
    if (command === IpcInfo.INFO || command === IpcInfo.SEM_INFO) {
      const { all } = table;
      const uses = command === IpcInfo.SEM_INFO;
      const count = all.reduce((sum, { values }) => sum + values.length, 0);
      // struct seminfo: semmap, semmni, semmns, semmnu, semmsl, semopm, semume, semusz, semvmx, semaem; SEM_INFO counts in two of them.
      const most = Limit.SETS * Limit.SEMAPHORES;
      const fields = [most, Limit.SETS, most, most, Limit.SEMAPHORES, Limit.OPERATIONS, Limit.OPERATIONS, 20, Limit.VALUE, Limit.VALUE];
      if (uses) [fields[7], fields[9]] = [all.length, count];
      for (const [index, value] of fields.entries()) buffer.set32(4 * index, value);
      return buffer.store(cpu, thread, a3, 4 * fields.length) < 0 ? -Errno.EFAULT : table.last;
    }
    const isStat = command === IpcInfo.SEM_STAT || command === IpcInfo.SEM_STAT_ANY;
    if (command === Ipc.SET && buffer.load(cpu, thread, a3, Perm.bytes) < 0) return -Errno.EFAULT;
    const set = table.get(id);
    if (set === undefined) return -Errno.EINVAL;
    const { values } = set;
    if (command === Ipc.RMID || command === Ipc.SET) {
      if (!mayControl(thread, set)) return -Errno.EPERM;
      if (command === Ipc.SET) {
        takePerm(buffer, set);
        return 0;
      }
      set.removed = true;
      table.remove(set);
      set.changed.wakeAll(cpu);
      return 0;
    }
    const writes = command === Semctl.SETVAL || command === Semctl.SETALL;
    const tells = isStat || command === Ipc.STAT;
    if (!tells && (command < Semctl.GETPID || command > Semctl.SETALL)) return -Errno.EINVAL;
    const one = !tells && command !== Semctl.GETALL && command !== Semctl.SETALL;
    if (one && command === Semctl.SETVAL && (number < 0 || number >= values.length)) return -Errno.EINVAL;
    if (command !== IpcInfo.SEM_STAT_ANY && !mayUse(thread, set, writes ? Right.WRITE : Right.READ)) return -Errno.EACCES;
    if (one && (number < 0 || number >= values.length)) return -Errno.EINVAL;
    const waiters = (zero: boolean): number =>
      [...set.waiting].filter(({ blocking }) => blocking?.number === number && (blocking.change === 0) === zero).length;
    switch (command) {
      case Ipc.STAT:
      case IpcInfo.SEM_STAT:
      case IpcInfo.SEM_STAT_ANY:
        layPerm(buffer, SEMID_DS, set).set64(48, set.operated).set64(64, set.created).set64(80, values.length);
        return buffer.store(cpu, thread, a3, SEMID_DS) < 0 ? -Errno.EFAULT : isStat ? set.id : 0;
      case Semctl.GETVAL:
        return values[number] as number;
      case Semctl.GETPID:
        return set.pids[number] as number;
      case Semctl.GETNCNT:
        return waiters(false);
      case Semctl.GETZCNT:
        return waiters(true);
      case Semctl.GETALL:
        for (const [index, value] of values.entries()) {
          if (buffer.set16(0, value).store(cpu, thread, a3 + 2 * index, 2) < 0) return -Errno.EFAULT;
        }
        return 0;
      case Semctl.SETALL: {
        const wanted: number[] = [];
        for (let index = 0; index < values.length; index++) {
          if (buffer.load(cpu, thread, a3 + 2 * index, 2) < 0) return -Errno.EFAULT;
          wanted.push(buffer.u16(0));
        }
        if (wanted.some((value) => value > Limit.VALUE)) return -Errno.ERANGE;
        wanted.forEach((value, index) => {
          values[index] = value;
          set.pids[index] = thread.process.pid;
          semaphores.forget(kernel.processes, set, index);
        });
        break;
      }
      default:
        values[number] = a3 | 0;
        set.pids[number] = thread.process.pid;
        semaphores.forget(kernel.processes, set, number);
    }
    set.changed.wakeAll(cpu);
    return 0;
  });

  hooks.kernelThreadExit.tap(plugin, (cpu, { process }, last) => {
    if (last) semaphores.exit(cpu, process);
  });
}
