import { MessageFlag, OpenFlag, SocketType } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { type FileCall, Lab, type Role } from '../../vfs/test/lab.js';
import { PIPE_BUF, Pipe } from '../src/index.js';
import { SocketLab } from './lab.js';

/** What is put and taken from now on, and by whom. */
function record(lab: Lab): string[] {
  const seen: string[] = [];
  const { messagePut, messageTaken } = lab.scheduler.events;
  messagePut.on('test', (cpu, _time, queue, bytes, task) => seen.push(`CPU ${cpu}: ${task.name} puts ${bytes} into ${queue.name}`));
  messageTaken.on('test', (cpu, _time, queue, bytes, task) => seen.push(`CPU ${cpu}: ${task.name} takes ${bytes} from ${queue.name}`));
  return seen;
}

/** Makes calls one after the other. */
const makes = (...calls: ((buffer: number) => FileCall)[]): Role =>
  function* ({ buffer, caller }) {
    for (const call of calls) yield (cpu) => call(buffer)(cpu, caller);
  };

describe('messagePut and messageTaken', () => {
  it('tell who put how many bytes into a pipe, and who took how many out of it', () => {
    const lab = new Lab();
    const [from, to] = Pipe.create(lab.scheduler, lab.manager.frames, 0);
    const seen = record(lab);
    const writer = lab.actor(
      makes((buffer) => (cpu, caller) => to.write(cpu, caller, buffer, 5)),
      1,
    );
    lab.run();
    const read = (buffer: number) => (cpu: Lab['cpu'], caller: Lab['caller']) => from.read(cpu, caller, buffer, 3);
    const reader = lab.actor(makes(read, read));
    lab.finish();
    const { name } = from.pipe.handover;
    expect(name).toMatch(/^pipe \d+$/);
    expect(seen).toEqual([
      `CPU 1: ${writer.task.name} puts 5 into ${name}`,
      `CPU 0: ${reader.task.name} takes 3 from ${name}`,
      `CPU 0: ${reader.task.name} takes 2 from ${name}`,
    ]);
  });

  it('tell of a write that waits for room piece by piece', () => {
    const lab = new Lab();
    const [from, to] = Pipe.create(lab.scheduler, lab.manager.frames, 0);
    const seen = record(lab);
    const length = 16 * PIPE_BUF + 9;
    const writer = lab.actor(
      makes((buffer) => (cpu, caller) => to.write(cpu, caller, buffer, length)),
      1,
    );
    lab.run();
    const reader = lab.actor(makes((buffer) => (cpu, caller) => from.read(cpu, caller, buffer, 16 * PIPE_BUF)));
    lab.finish();
    const { name } = from.pipe.handover;
    expect(seen).toEqual([
      `CPU 1: ${writer.task.name} puts ${16 * PIPE_BUF} into ${name}`,
      `CPU 0: ${reader.task.name} takes ${16 * PIPE_BUF} from ${name}`,
      `CPU 1: ${writer.task.name} puts 9 into ${name}`,
    ]);
  });

  it('tell both ends of a connection apart; what is only looked at is not taken', () => {
    const lab = new SocketLab();
    const [a, b] = lab.streams();
    const seen = record(lab);
    const first = lab.actor(
      makes(
        (buffer) => (cpu, caller) => a.send(cpu, caller, buffer, 7, 0),
        (buffer) => (cpu, caller) => a.receive(cpu, caller, buffer, 100, 0),
      ),
      1,
    );
    lab.run();
    const second = lab.actor(
      makes(
        (buffer) => (cpu, caller) => b.receive(cpu, caller, buffer, 100, MessageFlag.PEEK),
        (buffer) => (cpu, caller) => b.receive(cpu, caller, buffer, 100, 0),
        (buffer) => (cpu, caller) => b.send(cpu, caller, buffer, 2, 0),
      ),
    );
    lab.finish();
    expect(a.handover.name).not.toBe(b.handover.name);
    expect(seen).toEqual([
      `CPU 1: ${first.task.name} puts 7 into ${b.handover.name}`,
      `CPU 0: ${second.task.name} takes 7 from ${b.handover.name}`,
      `CPU 0: ${second.task.name} puts 2 into ${a.handover.name}`,
      `CPU 1: ${first.task.name} takes 2 from ${a.handover.name}`,
    ]);
  });

  it('tell of a packet in full, though only a part of it was asked for', () => {
    const lab = new SocketLab();
    const [a, b] = lab.packets(SocketType.SEQPACKET, OpenFlag.NONBLOCK);
    const seen = record(lab);
    const { task } = lab.actor(
      makes(
        (buffer) => (cpu, caller) => a.send(cpu, caller, buffer, 9, 0),
        (buffer) => (cpu, caller) => b.receive(cpu, caller, buffer, 4, 0),
      ),
    );
    lab.finish();
    expect(seen).toEqual([`CPU 0: ${task.name} puts 9 into ${b.handover.name}`, `CPU 0: ${task.name} takes 9 from ${b.handover.name}`]);
  });
});
