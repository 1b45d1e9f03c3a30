import type { Cpu } from '@rpal/hw-x86';
import { chargeLoadedMessage, chargeStoredMessage } from '@rpal/ipc';
import { Capability, type Thread, UserBuffer } from '@rpal/kernel';
import { autoremoveWake, type Scheduler, TaskState, WaitEntry, WaitQueue } from '@rpal/sched';
import { Errno, Ipc } from '@rpal/uapi';
import { begin, type Operation, Pending, putBytes } from '@rpal/vfs';
import { type Calls, nowOf } from '../calls.js';
import { PosixStep } from '../steps.js';
import { putLong } from '../user-memory.js';
import { IPC_64, IpcInfo, type IpcObject, IpcTable, layPerm, mayControl, mayUse, Right, takePerm } from './ipc-table.js';

/** Queues there may be, bytes of one message, and of a queue. */
const Limit = { QUEUES: 32_000, MESSAGE: 8192, QUEUE: 16_384 } as const;
const MsgFlag = { NOERROR: 0o10000, EXCEPT: 0o20000, COPY: 0o40000 } as const;
const MSQID_DS = 120;
/** Bytes of `struct msginfo`. */
const MSGINFO = 32;
/** What precedes the text of a message in user memory. */
const TYPE = 8;

interface Message {
  readonly type: number;
  readonly text: Uint8Array;
}

interface Queue extends IpcObject {
  readonly messages: Message[];
  bytes: number;
  limit: number;
  /** Receivers and senders that wait. */
  readonly changed: WaitQueue;
  removed: boolean;
  lastSender: number;
  lastReceiver: number;
  sent: number;
  received: number;
  created: number;
}

/** A call that is attempted until it has a result, a signal comes, or the queue goes. */
class Attempt implements Operation {
  readonly #thread: Thread;
  readonly #queue: Queue;
  readonly #entry: WaitEntry;
  readonly #waits: boolean;
  readonly #attempt: (cpu: Cpu) => number;

  /** @param attempt a result, or `Pending.NOTHING_YET` @param none the result if it would have to wait and may not */
  constructor(scheduler: Scheduler, thread: Thread, queue: Queue, waits: boolean, none: number, attempt: (cpu: Cpu) => number) {
    this.#thread = thread;
    this.#queue = queue;
    this.#waits = waits;
    this.#none = none;
    this.#attempt = attempt;
    this.#entry = new WaitEntry(autoremoveWake(scheduler), thread);
  }

  readonly #none: number;

  step(cpu: Cpu): number {
    const thread = this.#thread;
    const { changed, removed } = this.#queue;
    thread.state = TaskState.RUNNING;
    changed.remove(cpu, this.#entry);
    if (removed) return -Errno.EIDRM;
    const result = this.#attempt(cpu);
    if (result !== Pending.NOTHING_YET) return result;
    if (!this.#waits) return this.#none;
    if (thread.signalPending) return -Errno.EINTR;
    changed.addTail(cpu, this.#entry);
    thread.prepareToSleep(cpu, TaskState.INTERRUPTIBLE, changed);
    return Pending.SLEEP;
  }
}

/** msgget, msgsnd, msgrcv and msgctl. */
export function defineMessageCalls(calls: Calls): void {
  const { scheduler } = calls.kernel;
  const table = new IpcTable<Queue>(Limit.QUEUES);
  const buffer = new UserBuffer(Limit.MESSAGE);
  const seconds = (cpu: Cpu): number => Math.floor(nowOf(cpu) / 1e9);

  calls.define('msgget', (cpu, thread, { a0, a1 }) => {
    cpu.charge(PosixStep.ipcLookUp);
    return table.open(
      thread,
      a0 | 0,
      a1 | 0,
      () => 0,
      (common) => ({
        ...common,
        messages: [],
        bytes: 0,
        limit: Limit.QUEUE,
        changed: new WaitQueue('messages'),
        removed: false,
        lastSender: 0,
        lastReceiver: 0,
        sent: 0,
        received: 0,
        created: seconds(cpu),
      }),
    );
  });

  calls.define('msgsnd', (cpu, thread, { a0, a1, a2, a3 }) => {
    cpu.charge(PosixStep.messageSend);
    if (buffer.load(cpu, thread, a1, TYPE) < 0) return -Errno.EFAULT;
    const type = buffer.i64(0);
    if (!(a2 >= 0 && a2 <= Limit.MESSAGE) || (a0 | 0) < 0 || type < 1) return -Errno.EINVAL;
    if (buffer.load(cpu, thread, a1 + TYPE, a2) < 0) return -Errno.EFAULT;
    chargeLoadedMessage(cpu, a2);
    const text = new Uint8Array(a2);
    for (let at = 0; at < a2; at++) text[at] = buffer.view.getUint8(at);
    const queue = table.get(a0 | 0);
    if (queue === undefined) return -Errno.EINVAL;
    const waits = ((a3 | 0) & Ipc.NOWAIT) === 0;
    const send = new Attempt(scheduler, thread, queue, waits, -Errno.EAGAIN, (on) => {
      if (!mayUse(thread, queue, Right.WRITE)) return -Errno.EACCES;
      if (queue.bytes + text.length > queue.limit || queue.messages.length + 1 > queue.limit) return Pending.NOTHING_YET;
      queue.messages.push({ type, text });
      queue.bytes += text.length;
      queue.lastSender = thread.process.pid;
      queue.sent = seconds(on);
      queue.changed.wakeAll(on);
      return 0;
    });
    return begin(cpu, thread, send);
  });

  calls.define('msgrcv', (cpu, thread, { a0, a1, a2, a3, a4 }) => {
    cpu.charge(PosixStep.messageReceive);
    const [flags, room, wanted] = [a4 | 0, a2, a3];
    if ((a0 | 0) < 0 || room < 0) return -Errno.EINVAL;
    const copies = (flags & MsgFlag.COPY) !== 0;
    if (copies && ((flags & MsgFlag.EXCEPT) !== 0 || (flags & Ipc.NOWAIT) === 0)) return -Errno.EINVAL;
    // Room for the copy is made from what is there (Linux: `prepare_copy`, which reads it).
    if (copies && buffer.load(cpu, thread, a1, Math.min(room, Limit.MESSAGE)) < 0) return -Errno.EFAULT;
    const queue = table.get(a0 | 0);
    if (queue === undefined) return -Errno.EINVAL;
    const receive = new Attempt(scheduler, thread, queue, (flags & Ipc.NOWAIT) === 0, -Errno.ENOMSG, (on) => {
      if (!mayUse(thread, queue, Right.READ)) return -Errno.EACCES;
      const index = copies ? wanted : choose(queue.messages, wanted, (flags & MsgFlag.EXCEPT) !== 0);
      const message = queue.messages[index];
      if (message === undefined) return Pending.NOTHING_YET;
      if (message.text.length > room && (flags & MsgFlag.NOERROR) === 0) return -Errno.E2BIG;
      if (!copies) {
        queue.messages.splice(index, 1);
        queue.bytes -= message.text.length;
        queue.lastReceiver = thread.process.pid;
        queue.received = seconds(on);
        queue.changed.wakeAll(on);
      }
      const text = message.text.subarray(0, room);
      chargeStoredMessage(on, text.length);
      if (putLong(on, thread, a1, message.type) < 0 || putBytes(on, thread, a1 + TYPE, text) < 0) return -Errno.EFAULT;
      return text.length;
    });
    return begin(cpu, thread, receive);
  });

  calls.define('msgctl', (cpu, thread, { a0, a1, a2 }) => {
    cpu.charge(PosixStep.ipcLookUp);
    const command = (a1 | 0) & ~IPC_64;
    if ((a0 | 0) < 0) return -Errno.EINVAL;
    const isStat = command === IpcInfo.MSG_STAT || command === IpcInfo.MSG_STAT_ANY;
    if (command === IpcInfo.INFO || command === IpcInfo.MSG_INFO) {
      const { all } = table;
      const messages = all.flatMap((queue) => queue.messages);
      const uses = command === IpcInfo.MSG_INFO;
      // struct msginfo: msgpool, msgmap, msgmax, msgmnb, msgmni, msgssz, msgtql, msgseg; MSG_INFO counts in the first two and msgtql.
      const used = [all.length, messages.length, messages.reduce((sum, { text }) => sum + text.length, 0)] as const;
      buffer
        .clear(MSGINFO)
        .set32(0, uses ? used[0] : (Limit.QUEUES * Limit.QUEUE) / 1024)
        .set32(4, uses ? used[1] : Limit.QUEUE)
        .set32(8, Limit.MESSAGE)
        .set32(12, Limit.QUEUE)
        .set32(16, Limit.QUEUES)
        .set32(20, 16)
        .set32(24, uses ? used[2] : Limit.QUEUE)
        .set16(28, 0xffff);
      return buffer.store(cpu, thread, a2, MSGINFO) < 0 ? -Errno.EFAULT : table.last;
    }
    if (!isStat && command !== Ipc.RMID && command !== Ipc.SET && command !== Ipc.STAT) return -Errno.EINVAL;
    if (command === Ipc.SET && buffer.load(cpu, thread, a2, MSQID_DS) < 0) return -Errno.EFAULT;
    const queue = table.get(a0 | 0);
    if (queue === undefined) return -Errno.EINVAL;
    if (isStat || command === Ipc.STAT) {
      if (command !== IpcInfo.MSG_STAT_ANY && !mayUse(thread, queue, Right.READ)) return -Errno.EACCES;
      layPerm(buffer, MSQID_DS, queue)
        .set64(48, queue.sent)
        .set64(56, queue.received)
        .set64(64, queue.created)
        .set64(72, queue.bytes)
        .set64(80, queue.messages.length)
        .set64(88, queue.limit)
        .set32(96, queue.lastSender)
        .set32(100, queue.lastReceiver);
      return buffer.store(cpu, thread, a2, MSQID_DS) < 0 ? -Errno.EFAULT : isStat ? queue.id : 0;
    }
    if (!mayControl(thread, queue)) return -Errno.EPERM;
    if (command === Ipc.SET) {
      const limit = buffer.u64(88);
      if (limit > Limit.QUEUE && !thread.process.capable(Capability.SYS_RESOURCE)) return -Errno.EPERM;
      takePerm(buffer, queue);
      queue.limit = limit;
    } else {
      queue.removed = true;
      table.remove(queue);
    }
    queue.changed.wakeAll(cpu);
    return 0;
  });
}

/** Which message is wanted (`convert_mode`): the first; the first of a type, or of another; the first of the lowest type up to a bound. */
function choose(messages: readonly Message[], wanted: number, except: boolean): number {
  if (wanted === 0) return 0;
  if (wanted > 0) return messages.findIndex(({ type }) => (type === wanted) !== except);
  let best = -1;
  messages.forEach(({ type }, index) => {
    if (type <= -wanted && (best < 0 || type < (messages[best] as Message).type)) best = index;
  });
  return best;
}
