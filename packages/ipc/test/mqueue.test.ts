import { Errno, OpenFlag, Poll, Seek } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { Lab } from '../../vfs/test/lab.js';
import { MessageQueue, MessageQueueFile } from '../src/index.js';

const FOREVER = -1;

function withQueue(flags: number = OpenFlag.RDWR | OpenFlag.NONBLOCK, maxMessages = 3, messageSize = 64) {
  const lab = new Lab(3);
  const queue = new MessageQueue(lab.scheduler, lab.manager.frames, maxMessages, messageSize);
  const file = new MessageQueueFile(queue, flags).get();
  const send = (text: string, priority = 0, timeout = FOREVER) => {
    const length = lab.store(lab.buffer, text);
    return lab.call((cpu, caller) => file.send(cpu, caller, lab.buffer, length, priority, timeout));
  };
  const receive = (length = messageSize) => {
    let priority = -1;
    const n = lab.call((cpu, caller) => file.receive(cpu, caller, lab.buffer, length, FOREVER, (p) => (priority = p)));
    return n < 0 ? n : `${priority} ${lab.text(lab.buffer, n)}`;
  };
  const poll = () => lab.call((cpu) => file.poll(cpu, null));
  return { lab, queue, file, send, receive, poll };
}

describe('a message queue', () => {
  it('gives messages by priority, and of one priority the oldest first', () => {
    const { send, receive } = withQueue();
    expect([send('a', 1), send('b', 5), send('c', 5)]).toEqual([0, 0, 0]);
    expect([receive(), receive(), receive(), receive()]).toEqual(['5 b', '5 c', '1 a', -Errno.EAGAIN]);
  });

  it('takes as many messages as it has room for, each as long as its attributes allow', () => {
    const { send, receive } = withQueue(undefined, 2, 4);
    expect([send('12345'), send('1234'), send(''), send('x')]).toEqual([-Errno.EMSGSIZE, 0, 0, -Errno.EAGAIN]);
    expect([receive(3), receive(), receive()]).toEqual([-Errno.EMSGSIZE, '0 1234', '0 ']);
  });

  it('holds messages of several pages', () => {
    const { lab, file, queue } = withQueue(undefined, 1, 10_000);
    const text = Array.from({ length: 9000 }, (_, i) => String.fromCharCode(97 + (i % 26))).join('');
    lab.store(lab.buffer, text);
    lab.call((cpu, caller) => file.send(cpu, caller, lab.buffer, 9000, 0, FOREVER));
    expect(queue.messages[0]?.frames).toHaveLength(3);
    lab.store(lab.buffer, ' '.repeat(9000));
    const n = lab.call((cpu, caller) => file.receive(cpu, caller, lab.buffer, 10_000, FOREVER, () => 0));
    expect(lab.text(lab.buffer, n) === text).toBe(true);
  });

  it('says by poll whether there is a message, and room for one', () => {
    const { send, receive, poll } = withQueue(undefined, 1);
    const [canRead, canWrite] = [Poll.IN | Poll.RDNORM, Poll.OUT | Poll.WRNORM];
    expect(poll()).toBe(canWrite);
    send('x');
    expect(poll()).toBe(canRead);
    receive();
    expect(poll()).toBe(canWrite);
  });

  it('can be used only as it was opened', () => {
    const readOnly = withQueue(OpenFlag.RDONLY | OpenFlag.NONBLOCK);
    expect([readOnly.send('x'), readOnly.receive()]).toEqual([-Errno.EBADF, -Errno.EAGAIN]);
    const writeOnly = withQueue(OpenFlag.WRONLY | OpenFlag.NONBLOCK);
    expect([writeOnly.send('x'), writeOnly.receive()]).toEqual([0, -Errno.EBADF]);
  });

  it('tells of a message that finds it empty, once, and not if a receiver waits for it', () => {
    const { lab, queue, file, send, receive } = withQueue();
    let told = 0;
    const ask = () => {
      queue.notification = { owner: lab, pid: 7, signal: 10, tell: () => told++ };
    };
    ask();
    send('a');
    send('b');
    expect([told, queue.notification]).toEqual([1, null]);
    ask();
    send('c');
    expect(told, 'it was not empty').toBe(1);
    for (let i = 0; i < 3; i++) receive();
    file.flags &= ~OpenFlag.NONBLOCK;
    lab.actor(function* ({ caller, buffer }) {
      yield (cpu) => file.receive(cpu, caller, buffer, 64, FOREVER, () => 0);
    });
    lab.run();
    send('d');
    lab.finish();
    expect([told, queue.messages.length]).toEqual([1, 0]);
    file.flush({});
    expect(queue.notification, 'somebody else has closed it').not.toBeNull();
    file.flush(lab);
    expect(queue.notification).toBeNull();
  });

  it('hands a message to the receiver that has waited longest, past whoever comes later', () => {
    const { lab, file, send, receive } = withQueue(OpenFlag.RDWR);
    const got: string[] = [];
    for (const [i, name] of ['first', 'second'].entries()) {
      lab.actor(function* ({ caller, buffer }) {
        const n = yield (cpu) => file.receive(cpu, caller, buffer, 64, FOREVER, () => 0);
        got.push(`${name} ${lab.text(buffer, n)}`);
      }, i);
      lab.run();
    }
    send('a');
    file.flags |= OpenFlag.NONBLOCK;
    expect(receive(), 'the message is spoken for').toBe(-Errno.EAGAIN);
    lab.run();
    expect(got).toEqual(['first a']);
    send('b');
    lab.finish();
    expect(got).toEqual(['first a', 'second b']);
  });

  it('lets a sender that waits for room put its message in when a receiver makes some', () => {
    const { lab, file, queue, send, receive } = withQueue(OpenFlag.RDWR, 1);
    send('a');
    const results: number[] = [];
    lab.actor(function* ({ caller, buffer }) {
      const length = lab.store(buffer, 'urgent');
      results.push(yield (cpu) => file.send(cpu, caller, buffer, length, 9, FOREVER));
    }, 1);
    lab.run();
    expect([results, queue.messages.length]).toEqual([[], 1]);
    expect([receive(), queue.messages.length]).toEqual(['0 a', 1]);
    lab.finish();
    expect([results, receive()]).toEqual([[0], '9 urgent']);
  });

  it('lets a wait end with its time, or with a signal', () => {
    const { lab, file, queue } = withQueue(OpenFlag.RDWR);
    const results: number[] = [];
    const receiver = (timeout: number) =>
      lab.actor(function* ({ caller, buffer }) {
        results.push(yield (cpu) => file.receive(cpu, caller, buffer, 64, timeout, () => 0));
      });
    receiver(2e6);
    lab.run(1e6);
    expect(results).toEqual([]);
    lab.run(2e6);
    const waits = receiver(FOREVER);
    lab.run(1e6);
    waits.interrupt(lab.cpu);
    lab.finish();
    expect([results, queue.receivers]).toEqual([[-Errno.ETIMEDOUT, -Errno.ERESTARTSYS], []]);
  });

  it('shows what it holds as text', () => {
    const { lab, file, send } = withQueue();
    send('hello');
    const n = lab.call((cpu, caller) => file.read(cpu, caller, lab.buffer, 200));
    expect(lab.text(lab.buffer, n)).toBe('QSIZE:5          NOTIFY:0     SIGNO:0     NOTIFY_PID:0     \n');
    expect([lab.call((cpu, caller) => file.read(cpu, caller, lab.buffer, 200)), file.seek(0, Seek.END), file.canWrite]).toEqual([
      0,
      80,
      false,
    ]);
  });
});
