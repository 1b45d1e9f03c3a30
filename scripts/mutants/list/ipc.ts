import type { Group } from '../mutant.ts';

export const ipc: Group = {
  package: 'packages/ipc',
  // Its own tests notice all of them: no kernel is needed.
  tests: ['pipe', 'eventfd', 'timerfd', 'memfd', 'mqueue', 'stream-socket', 'packet-socket', 'splice', 'in-flight', 'message-events'],
  mutants: [
    {
      kind: 'bound',
      text: 'if (this.high < WORD - 1 || this.low < WORD - 2) mask |= Poll.OUT;',
      mutated: 'if (this.high < WORD - 1 || this.low < WORD - 1) mask |= Poll.OUT;',
    },
    {
      kind: 'bound',
      text: 'if (carried >= WORD || (carried === WORD - 1 && rest === WORD - 1)) return false;',
      mutated: 'if (carried >= WORD) return false;',
    },
    { kind: 'state', text: 'if (low === 0) file.high = high - 1;', mutated: '' },
    { kind: 'wake-up', text: 'file.wait.wakeOne(cpu, Poll.OUT);', mutated: '' },
    { kind: 'wake-up', text: 'this.wait.wakeOne(cpu, Poll.IN);', mutated: '', in: 'eventfd.ts' },

    { kind: 'errno', text: 'if (low === WORD - 1 && high === WORD - 1) return -Errno.EINVAL;', mutated: '' },
    { kind: 'bound', text: 'return this.buffers.length >= this.slots;', mutated: 'return this.buffers.length > this.slots;' },
    { kind: 'bound', text: 'if (end + odd > PAGE_SIZE) return 0;', mutated: 'if (end + odd >= PAGE_SIZE) return 0;' },
    {
      kind: 'bound',
      text: 'this.#spare.length < 2',
      mutated: 'this.#spare.length < 3',
    },
    { kind: 'errno', text: 'if (slots < this.buffers.length) return -Errno.EBUSY;', mutated: '' },
    { kind: 'wake-up', text: 'if (wasFull && !pipe.full) pipe.announceRoom(cpu);', mutated: 'if (wasFull) {}' },
    {
      kind: 'wake-up',
      text: 'if (this.#slept && !empty) pipe.readWait.walk(cpu, Wake.ONE_SYNC, READABLE);',
      mutated: '',
    },
    {
      kind: 'wake-up',
      text: 'if (this.#slept && !full) pipe.writeWait.walk(cpu, Wake.ONE_SYNC, WRITABLE);',
      mutated: '',
    },
    { kind: 'wake-up', text: 'if ((this.readers === 0) !== (this.writers === 0)) {', mutated: 'if (this.readers < 0) {' },
    {
      kind: 'cost',
      text: 'chargeCopy(cpu, IpcStep.pipeCopyIn, length);',
      mutated: 'chargeCopy(cpu, IpcStep.pipeCopyIn, 0);',
    },
    { kind: 'cost', text: 'cpu.charge(IpcStep.sendMessage);', mutated: '' },
    {
      kind: 'cost',
      text: 'cpu.charge(IpcStep.packetSend);',
      mutated: '',
    },
    { kind: 'errno', text: 'if (from.pipe === to.pipe) return -Errno.EINVAL;', mutated: '' },
    { kind: 'wake-up', text: 'if (from.buffers.length < held) from.writeWait.wakeOne(cpu);', mutated: '' },
    { kind: 'wake-up', text: 'to.readWait.wakeOne(cpu);', mutated: '', in: 'splice/splice.ts' },

    {
      kind: 'bound',
      text: 'if (length > this.queue.messageSize) return -Errno.EMSGSIZE;',
      mutated: 'if (length >= this.queue.messageSize) return -Errno.EMSGSIZE;',
    },
    { kind: 'bound', text: 'if (length < this.queue.messageSize) return -Errno.EMSGSIZE;', mutated: '' },
    {
      kind: 'permission',
      text: 'if (this.queue.notification?.owner === owner) this.queue.notification = null;',
      mutated: 'this.queue.notification = null;',
    },
    { kind: 'bound', text: 'if (notification !== null && this.messages.length === 1) {', mutated: 'if (notification !== null) {' },
    {
      kind: 'order',
      text: 'if (seen >= 0 && !sameSender(skb.credentials, this.#sender)) break;',
      mutated: '',
    },
    {
      kind: 'permission',
      text: 'if (this.passCredentials || peer.tellsSender) skb.credentials = caller.credentials;',
      mutated: 'if (this.passCredentials) skb.credentials = caller.credentials;',
    },
    {
      kind: 'errno',
      text: 'if (this.state !== SocketState.CONNECTED) return -Errno.ENOTCONN;',
      mutated: '',
    },
    {
      kind: 'permission',
      text: 'if (!other.accepts(this)) return -Errno.EPERM;',
      mutated: '',
    },
    {
      kind: 'bound',
      text: 'this.queued > this.backlogLimit',
      mutated: 'this.queued >= this.backlogLimit',
    },
    {
      kind: 'wake-up',
      text: '    this.wait.wakeOne(cpu, Poll.OUT | Poll.WRNORM | Poll.WRBAND);',
      mutated: '',
    },

    {
      kind: 'state',
      text: 'return this.sendQueued < this.sendBuffer;',
      mutated: 'return true;',
    },
    {
      kind: 'state',
      text: 'component.length > 1 || successors(component[0] as InFlightSocket)',
      mutated: 'successors(component[0] as InFlightSocket)',
    },
    { kind: 'state', text: 'if (part < length) message.flags |= MessageFlag.TRUNC;', mutated: '' },
    {
      kind: 'bound',
      text: 'if (limit > this.backlogLimit) this.peerWait.walk(cpu, Wake.ALL);',
      mutated: '',
    },

    { kind: 'state', text: 'if (taken > 0) pipe.handover.take(cpu, this.caller.task, taken);', mutated: '' },
    {
      kind: 'state',
      text: 'if (this.#done > before) pipe.handover.put(cpu, this.#done - before);',
      mutated: 'if (this.#done > before) pipe.handover.put(cpu, this.#done);',
    },
    { kind: 'state', text: 'this.handover.put(cpu, skb.length);', mutated: 'this.handover.put(cpu, 0);' },
    { kind: 'state', text: 'this.handover.take(cpu, caller.task, part);', mutated: '' },
    {
      kind: 'state',
      text: 'socket.handover.take(cpu, this.caller.task, skb.length);',
      mutated: 'socket.handover.take(cpu, this.caller.task, this.#length);',
    },
    {
      kind: 'state',
      text: 'if (n > 0 && this.appends) this.position = this.size;',
      mutated: '',
      tests: ['kernel/cases/memory'],
    },
    { kind: 'bound', text: 'const at = this.appends ? this.size : offset;', mutated: 'const at = offset;', tests: ['kernel/cases/memory'] },
  ],
};
