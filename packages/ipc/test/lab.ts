import type { File } from '@rpal/vfs';
import { Lab } from '../../vfs/test/lab.js';
import {
  SkbPool,
  SocketMessage,
  UnixNamespace,
  UnixPacketSocket,
  type UnixRules,
  type UnixSocket,
  UnixStreamSocket,
} from '../src/index.js';

/** Unix sockets without a kernel. */
export class SocketLab extends Lab {
  readonly sockets: UnixNamespace;

  constructor(rules: UnixRules = {}, cores = 2) {
    super(cores);
    const skbs = new SkbPool(this.manager.heap, this.manager.frames);
    this.sockets = new UnixNamespace(this.scheduler, skbs, undefined, rules);
  }

  streams(flags = 0): [UnixStreamSocket, UnixStreamSocket] {
    const [a, b] = UnixStreamSocket.pair(this.sockets, flags);
    return [a.get(), b.get()];
  }

  packets(type: number, flags = 0): [UnixPacketSocket, UnixPacketSocket] {
    const [a, b] = UnixPacketSocket.pair(this.sockets, type, flags);
    return [a.get(), b.get()];
  }

  send(socket: UnixSocket, text: string, flags = 0): number {
    const length = this.store(this.buffer, text);
    return this.call((cpu, caller) => socket.send(cpu, caller, this.buffer, length, flags));
  }

  /** The text that came, or an errno. */
  receive(socket: UnixSocket, length = 1000, flags = 0): string | number {
    const n = this.call((cpu, caller) => socket.receive(cpu, caller, this.buffer, length, flags));
    return n < 0 ? n : this.text(this.buffer, Math.min(n, length));
  }

  /** sendmsg with descriptors or a name. */
  sendMessage(socket: UnixSocket, text: string, { files, name }: { files?: readonly File[]; name?: string } = {}): number {
    const length = this.store(this.buffer, text);
    const message = new SocketMessage([{ address: this.buffer, length }]);
    message.files = files === undefined ? null : files.map((file) => file.get());
    message.name = name ?? null;
    return this.call((cpu, caller) => {
      caller.iov = message;
      const result = socket.send(cpu, caller, 0, length, 0);
      caller.iov = null;
      for (const file of message.files ?? []) file.put(cpu);
      return result;
    });
  }

  /** recvmsg: what came along with `text`. */
  receiveMessage(socket: UnixSocket, length = 1000): { result: number; text: string; message: SocketMessage } {
    const message = new SocketMessage([{ address: this.buffer, length }]);
    const result = this.call((cpu, caller) => {
      caller.iov = message;
      const n = socket.receive(cpu, caller, 0, length, 0);
      caller.iov = null;
      return n;
    });
    return { result, text: this.text(this.buffer, Math.max(0, result)), message };
  }
}
