import type { Call } from './calls.js';

/** Programs on which model and kernel once disagreed, by what was wrong. */
export const pinned: Readonly<Record<string, readonly Call[]>> = {
  'a datagram socket that is shut down and not connected is written to': program(`
    0 socket 2050
    0 shutdown 0 2
    0 write 0 4096 227`),
  'a thread polls a descriptor that another one closes and uses again': program(`
    0 pipe 2048
    0 thread 1
    0 poll 0 8195 -1
    1 close 0
    1 mqopen 1 2112 0 0
    1 write 1 5000 178`),
  'a thread waits for its own children first, and for those of one that has ended behind them': program(`
    0 thread 1
    0 fork 2
    1 fork 3
    2 exit
    3 exit
    1 reap 0 0
    1 fork 3
    3 exit
    1 exit
    0 reap 0 0
    0 reap 0 0`),
  'a circle of sockets, one of which has been received': program(`
    0 epoll
    0 memfd 1
    0 epoll
    0 socketpair 2049
    0 socket 2050
    0 close 4
    0 socketpair 2053
    0 close 3
    0 pass 4 5 1 64 1 6
    0 socketpair 2053
    0 close 5
    0 pass 6 5 1 64 2 4 3
    0 pass 4 5 1 64 1 4
    0 take 6 100 64 2
    0 socketpair 2053
    0 socketpair 2049
    0 close 6
    0 socketpair 2049
    0 pass 6 5 1 64 2 7 12
    0 dup2 5 32
    0 close 4
    0 close 3
    0 take 12 100 64 2
    0 pass 6 5 1 64 2 32 9
    0 pass 3 5 1 64 2 11 4`),
  'a socket comes into flight after the collector has walked the graph': program(`
    0 pipe 2048
    0 eventfd 0 2048
    0 socketpair 2050
    0 pass 4 5 1 64 2 4 3
    0 socketpair 2049
    0 recv 3 9000 32
    0 dup2 4 38
    0 socketpair 2049
    0 write 38 5 165
    0 write 38 1 58
    0 close 4
    0 pass 3 5 1 64 2 6 7
    0 close 1
    0 pass 38 5 1 64 2 38 2
    0 socketpair 2050
    0 pass 1 5 1 64 1 4
    0 read 3 9000
    0 close 38
    0 pass 6 70000 91 64 1 3
    0 recv 3 5000 256
    0 close 4
    0 take 3 100 64 2
    0 take 4 9000 2 3`),
};

function program(text: string): Call[] {
  return text
    .trim()
    .split('\n')
    .map((line) => {
      const [process, call, ...args] = line.trim().split(' ');
      return { process: Number(process), call: call as string, args: args.map(Number) };
    });
}
