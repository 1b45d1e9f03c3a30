import { whole } from '../report/numbers.js';

/**
 * What follows from what was measured, for each question. Each sentence is chosen by the data: a run in which
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

/** @param wrong entries that were served as another task @param long part of a callee's work for which its caller waits, with FRED */
export function ofEntries(wrong: readonly string[], long: number): string {
  if (wrong.length === 0) return 'Every entry is served as the task whose code runs.';
  const held = long > 0.9 ? ', and with FRED no tick gives the caller its thread back' : '';
  return `Entries that the series does not hook are served as the wrong task (${wrong.join('; ')}): the callee's system calls act on the caller's process, silently${held}.`;
}

/** Nanoseconds that a group ran: in all, and in the period in which it ran most. */
interface GroupTime {
  readonly total: number;
  readonly most: number;
}

/** @param loud with calls, of which so many set the stopped group going @param quota nanoseconds in a period */
export function ofQuota(quiet: GroupTime, loud: GroupTime & { readonly released: number }, quota: number): string {
  if (loud.most <= 1.1 * quiet.most) return 'The quota holds.';
  const switches = loud.released > 0 ? 'ends the throttling' : 'goes to a task of a group that is let go on and stopped again at once';
  const keeps = loud.released > 0 ? ', which keeps the kernel from having nothing to run, not the quota' : '';
  return `The lazy switch ${switches}, and the callee works on the group's account although it has none left${keeps}: ${(loud.most / quota).toFixed(1)} times the quota in one period, against ${(quiet.most / quota).toFixed(1)} without calls. What was taken too much is a debt that later periods pay, so over all of them it is ${(loud.total / quiet.total).toFixed(2)} times as much.`;
}

/** The end of a process: cycles, and interrupts of other CPUs. */
interface End {
  readonly cycles: number;
  readonly interrupts: number;
}

/** @param plain without RPAL @param least with it, but no peer */
export function ofTearDown(plain: End, least: End, most: End & { readonly peers: number }): string {
  const growth =
    most.interrupts > 2 * most.peers
      ? 'each peer is unlinked with two full flushes, and each flush interrupts the CPUs of all peers that are left, so the work grows with the square of the peers'
      : 'about once for each peer';
  return `With ${most.peers} peers the end takes ${(most.cycles / plain.cycles).toFixed(1)} times as long as that of an ordinary process, and interrupts CPUs ${most.interrupts} times where the other interrupts ${plain.interrupts}: ${growth}. Without peers it costs ${(least.cycles / plain.cycles).toFixed(1)} times as much.`;
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

export function ofMappings({ escaped }: { readonly escaped: boolean }): string {
  return escaped
    ? 'Hints are ignored, but MAP_FIXED replaces a part of the balloon: a service can leave its slice, and a later peer there would collide.'
    : 'No mapping leaves the slice.';
}

/** @param uid of the system call with a forged register */
export function ofCredentials(uid: number): string {
  return uid === 0
    ? 'System calls are judged as the process that the FS base names: in an honest call that is the callee, as it should be; with a forged register it makes root of anybody whom a root service has requested.'
    : 'System calls are judged as the process whose code makes them, in calls and with a forged register; who may request whom is still nobody’s question.';
}

/** @param asReceiver a call is logged as the receiver's @param filtered the receiver's filter judges it @param share of the run time that reaches its group */
export function ofPolicies({ asReceiver, filtered, share }: { asReceiver: boolean; filtered: boolean; share: number }): string {
  return `After the lazy switch a system call is judged and logged as the ${asReceiver ? "receiver's" : "sender's"}, ${
    filtered ? "by the receiver's filter" : "but the receiver's filter is passed by"
  }: correct for honest calls, and what a forged register makes use of. Time that is spent in user mode is booked by claims in user memory: ${(100 * share).toFixed(0)} % of it reached the server's group here.`;
}

/** @param stopped the kernel stops @param survives the caller does @param finished the work is done to its end */
export function ofDeath({ stopped, survives, finished }: { stopped: boolean; survives: boolean; finished: boolean }): string {
  if (stopped) return 'The kernel does not survive it: the caller returns by the kernel, which uses the receiver that has ended.';
  if (!survives) return 'The caller does not survive the end of its callee.';
  return `The caller survives${finished ? '; the work that it carries out for a process that was killed goes on to its end' : ''}.`;
}

export function ofSignal({ senderAlone, finished }: { senderAlone: boolean; finished: boolean }): string {
  return senderAlone
    ? `The signal goes to the sender alone; the callee ${finished ? 'goes on as a thread of its own and finishes' : 'loses its work'}.`
    : 'The signal reaches the wrong one, or both.';
}

/** How many outcomes differ: of own accesses from an ordinary process, and through the redirection; how many accesses go through without the key. */
export function ofFaults({ own, foreign, open }: { own: number; foreign: number; open: number }): string {
  const first =
    own === 0
      ? 'For own addresses every outcome is that of an ordinary process'
      : `For own addresses ${own} outcomes differ from those of an ordinary process`;
  const second = foreign === 0 ? 'and through the redirection, too' : `and ${foreign} differ through the redirection`;
  const third = open === 0 ? 'without the key none goes through' : `without the key ${open} go through`;
  return `${first}, ${second}; ${third}. That the copy of the code will rot cannot be run: the model has one fault path, which both go through.`;
}

export function ofForgery({ taken }: { readonly taken: boolean }): string {
  return taken
    ? 'The forged register is believed: the system call was executed as the other process, with its credentials and descriptors.'
    : 'The forged register changes nothing: the system call was executed as the caller.';
}

export function ofConsent({ taken }: { readonly taken: boolean }): string {
  return taken
    ? "The victim's consent is not needed: a guessed key and a forged register are enough to make system calls as it."
    : 'A victim that has requested nobody is not taken over this way.';
}

export function ofStrayRead({ blocked }: { readonly blocked: boolean }): string {
  return blocked ? 'A stray read is stopped by the protection key.' : 'A stray read succeeds.';
}

/** @param open after WRPKRU(0) the peer can be read and written @param strayBlocked without it not */
export function ofIntent({ open, strayBlocked }: { open: boolean; strayBlocked: boolean }): string {
  return open
    ? `Keys ${strayBlocked ? 'stop accidents, not intent' : 'do not even stop accidents'}: whoever executes one unprivileged instruction reads and writes the peer.`
    : 'WRPKRU(0) is not enough to reach the peer.';
}

/** @param again the key is handed out to the next who asks */
export function ofFreedKey({ refused, again }: { refused: boolean; again: boolean }): string {
  return refused
    ? "The call is refused, so a service's key is not given to anybody else."
    : `The key is free although pages carry it${again ? ', and is handed out again at once' : ''}.`;
}

/** Whether the page is present before the access that fails, and after it. */
export function ofPopulation({ before, after }: { before: boolean; after: boolean }): string {
  return after && !before
    ? "The page is populated and charged to its owner before the access fails: a peer can grow another's memory."
    : 'Nothing is populated: the access fails first.';
}

/** @param clashing ids that are equal to the own one modulo 16 @param refused how many were */
export function ofPairs(clashing: readonly number[], refused: number): string {
  return refused > 0 && refused === clashing.length
    ? `Services whose ids are equal modulo 16 cannot pair: ${clashing.length === 1 ? 'id' : 'ids'} ${clashing.join(', ')} ${clashing.length === 1 ? 'is' : 'are'} refused. Peers whose keys are equal to each other can be requested both, and are opened together.`
    : 'No pair is refused for its key.';
}

/** @param first the first that is refused; negative: none */
export function ofRequests(first: number, granted: number): string {
  return first < 0 ? `All ${granted} went through.` : `${granted} requests are granted; the next one is refused.`;
}

/** @param reached the child runs on @param byKey what stops it is a protection key */
export function ofFork({ reached, byKey }: { reached: boolean; byKey: boolean }): string {
  return reached
    ? 'The child runs on.'
    : `The child is stopped by ${byKey ? 'a protection-key fault: its mappings and its PKRU no longer agree' : 'a fault'}.`;
}

/** @param spoilt bytes behind the buffer that have changed @param beyond by how much the result exceeds what was asked for */
export function ofBuffer(spoilt: number, beyond: number): string {
  return spoilt > 0 || beyond > 0
    ? 'The count is ignored: memory behind the buffer is overwritten.'
    : 'Nothing behind the buffer is touched.';
}

/** @param stopped cases in which the kernel stops */
export function ofClasses(stopped: number, cases: number): string {
  return stopped > 0
    ? `Neither registration nor sched_setscheduler asks for the other: the first lazy switch of a thread that is not of the fair class stops the kernel, in ${stopped} of ${cases} cases. It takes a privilege to become FIFO, and no more than that to stop the machine.`
    : 'A thread that is registered stays in the fair class: registration, or the change, is refused.';
}

/** Whether a peer still uses a translation that is gone, and after it has slept. */
export function ofStaleFlush({ stale, afterSleep }: { stale: boolean; afterSleep: boolean }): string {
  return stale
    ? `The flush passes over CPUs that run a peer: the translation stays in use until that CPU ${afterSleep ? 'flushes for another reason' : 'next switches address spaces'}. The frame may belong to somebody else by then.`
    : 'The peer faults at once: its CPU was told.';
}

/** @param lost pages that nobody frees @param broken something is freed twice @param childHas a forked child has the pages */
export function ofSharedPages({ lost, broken, childHas }: { lost: number; broken: boolean; childHas: boolean }): string {
  return lost > 0 || broken || childHas
    ? `Only the close callback exists: ${childHas ? 'a child keeps pages that the service counts as freed' : 'children get none'}; a part that is unmapped frees the whole, the rest frees it again, and ${lost} pages are lost. The model’s page tables hold references, so that what is a use after free in the kernel shows here as pages that are still mapped.`
    : 'Children do not get the pages, and the mapping is freed once, with its last part.';
}

export function ofStateWord({ alive }: { readonly alive: boolean }): string {
  return alive
    ? 'A word in user memory decides whether a thread may be woken: with it overwritten, not even SIGKILL ends the process.'
    : 'The overwritten word does not keep the process from being killed.';
}

export function ofClaim({ believed }: { readonly believed: boolean }): string {
  return believed
    ? "The claim is believed: a thread's run time, which fairness and cgroup accounting rest on, is what it says it is."
    : 'The claim changes little.';
}

/** @param duration of the call, as the caller sees it @param work of the callee */
export function ofEndlessCall(duration: number, work: number): string {
  return duration < work / 2
    ? `The first tick makes the kernel take the callee up as a thread of its own; the caller goes on after ${((100 * duration) / work).toFixed(0)} % of the callee's work, by kernel return.`
    : 'The caller waits for the whole of the work: nothing takes the CPU from the callee.';
}

export function ofObjections(standing: number, all: number): string {
  return `Of ${all} objections to v1, ${standing === all ? 'all' : standing} can still be shown on v2.`;
}
