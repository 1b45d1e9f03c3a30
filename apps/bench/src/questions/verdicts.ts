import { whole } from '../report/numbers.js';

/**
 * What follows from what was measured, for questions whose answer is a figure. Each sentence is chosen by the data: a run in which
 * the machine behaves otherwise gets another one.
 */

/** @param results by size: an address, or a negative errno @param denied -ENOMEM */
export function ofReservations(sizes: readonly number[], results: readonly number[], denied: number): string {
  const largest = sizes.filter((_, index) => (results[index] as number) > 0).at(-1);
  if (largest === sizes.at(-1)) return `No limit was met: ${largest} GiB, the largest that was tried, can be reserved.`;
  const refused = results.filter((result) => result < 0);
  const how = refused.every((result) => result === denied) ? 'more ends in ENOMEM' : 'more ends in errors of several kinds';
  const limit = largest !== undefined && largest < 512 && sizes.includes(512) ? 'The slice of 512 GiB is a hard limit' : 'There is a limit';
  return `${limit}: ${largest ?? 0} GiB was the largest that went, and ${how}.`;
}

/** One way and round trip, in cycles. */
type Trip = readonly [oneWay: number, trip: number];

export function ofYield(yielding: Trip, call: Trip): string {
  const ratio = yielding[0] / call[0];
  const oneWay =
    ratio >= 1 ? `the call beats a yield by ${ratio.toFixed(1)} times` : `a yield beats the call by ${(1 / ratio).toFixed(1)} times`;
  const trip =
    call[1] > yielding[1] ? 'threads that yield are cheaper, because its echo costs two lazy switches' : 'the call is cheaper, too';
  return `One way, ${oneWay}; over the round trip of the RFC's own sample, ${trip}. Threads of one process give up the isolation that keys give against accidents.`;
}

/** @param shared one way through shared memory with a byte that wakes @param small, large the whole message through the socket */
export function ofSharing(shared: number, small: number, large: number): string {
  const figures = `Sharing alone takes ${whole(shared)} cycles, where the socket takes ${whole(large)} at 1024 bytes and ${whole(small)} at 32`;
  // The half of what is left: beyond that, copying is what a message costs.
  return shared > large / 2
    ? `${figures}: copying is not what such a message costs. What RPAL gains, it gains by not waking anybody.`
    : `${figures}: copying is most of what such a message costs.`;
}

/** @param sameCpu gain on one CPU @param others gains where the receiver's CPU was idle */
export function ofBaselines(sameCpu: number, others: readonly number[]): string {
  const all = [sameCpu, ...others];
  const range = `The gain is ${Math.min(...all).toFixed(1)} to ${Math.max(...all).toFixed(1)} times one way`;
  return sameCpu < Math.max(...others)
    ? `${range}: part of what the RFC compares with is the wake-up of an idle CPU, which a benchmark on one CPU, where it is ${sameCpu.toFixed(1)} times, does not have.`
    : `${range}: it does not depend on the wake-up of an idle CPU, as one CPU alone shows ${sameCpu.toFixed(1)} times.`;
}

/** @param total cycles saved one way @param scheduling those of them that are wake-up and switch */
export function ofSavings(total: number, scheduling: number): string {
  if (total <= 0) return `Nothing is saved one way: RPAL takes ${whole(-total)} cycles more.`;
  const share = (100 * scheduling) / total;
  const rest = share < 100 ? ' The rest is what a call leaves out of socket, epoll and system-call entry.' : '';
  return `Of ${whole(total)} cycles saved one way, ${whole(scheduling)} (${share.toFixed(0)} %) are wake-up and switch: an ordinary switch and wake-up that cost nothing would give that much.${rest}`;
}

/** @param special cycles of instructions that only x86 has, by what they stand for @param own of all of RPAL's steps */
export function ofArchitecture(special: ReadonlyMap<string, number>, own: number): string {
  const sum = [...special.values()].reduce((total, cycles) => total + cycles, 0);
  const figures = `${whole(sum)} of ${whole(own)} cycles (${((100 * sum) / own).toFixed(0)} %) are instructions of x86 alone`;
  const used = [...special].filter(([, cycles]) => cycles > 0).map(([what]) => what);
  return used.length === 0
    ? `${figures}: nothing in a call depends on the architecture.`
    : `${figures} (${used.join(', ')}); the rest is ordinary code, but it cannot do without them, nor without top-level page-table entries of 512 GiB.`;
}

export function ofReach(mapped: number, resident: number, readable: number): string {
  const share =
    mapped === resident ? 'the address space is shared in full' : mapped > 0 ? 'the address space is shared in part' : 'nothing is shared';
  if (mapped === 0) return `${mapped} of ${resident} pages can be reached: ${share}.`;
  const border = readable < mapped ? 'and only PKRU separates' : 'and not even PKRU separates';
  return `${mapped} of ${resident} pages are one register write away: ${share}, ${border}.`;
}

/** @param told results of the first question that the others asked */
export function ofCrowd(services: number, started: number, told: readonly number[]): string {
  if (services === started) return `All ${services} become services.`;
  const silent = told.length === started - services && told.every((result) => result < 0);
  const how = silent ? 'and nothing tells them before they ask' : 'and they are not told even when they ask';
  return `${services} become services; the others are started as ordinary processes, ${how}.`;
}

/** @param booked names in the samples that came while the callee worked @param readsMemory through the sender's address space */
export function ofObservers(booked: readonly string[], receiver: string, readsMemory: boolean): string {
  const toReceiver = booked.length > 0 && booked.every((name) => name.startsWith(receiver));
  const profiler = toReceiver
    ? "The interrupt that observes makes the lazy switch first, so a profiler books the time to the receiver, though it is the sender's call"
    : `A profiler books the time to ${booked.join(', ') || 'nobody'}`;
  const memory = readsMemory
    ? 'reads the memory its pointers lead to'
    : 'cannot read the memory its pointers lead to: a dump of a caller lacks what it was working on';
  return `${profiler}; a debugger of the sender sees the registers it will return with and ${memory}.`;
}

/** @param waited cycles that a change of the affinity and taking the caller's CPU offline took @param working the callee's work @param stuck it stays tied to the CPU of the call */
export function ofMoves(waited: readonly [affinity: number, offline: number], working: number, stuck: boolean): string {
  const [affinity, offline] = waited;
  // A tick is far less than the callee's work, and far more than the change itself.
  const outcome = (who: string, cycles: number, free: string): string =>
    cycles > working / 100
      ? `${who} waits in a loop until kernel return unlocks it: ${whole(cycles)} cycles here, up to the tick at which the scheduler picks the caller.`
      : `${who} ${free}: ${whole(cycles)} cycles here.`;
  const wait = [
    outcome('Who wants to move a task that takes part in a call', affinity, 'need not wait'),
    outcome('Who takes its CPU offline', offline, 'does not, and pushes both off, each to where there is room'),
  ].join(' ');
  return stuck
    ? `${wait} If the last CPU of its old affinity has gone meanwhile, the unlock fails, and it stays where the call was.`
    : wait;
}
