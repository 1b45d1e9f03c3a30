import { largeReservations, mappingsOutside } from './address-space.js';
import { sharingWithoutCall, threadsAndYield } from './alternatives.js';
import { architectureShare, savedCycles, slowBaseline } from './cost.js';
import { receiverKilled, signalToSender } from './death.js';
import { forgedFsBase, forgedOneSided } from './forged-identity.js';
import { keyGivenBack, keysAgainstIntent, populatedForOthers, reachableMemory } from './isolation.js';
import { forkedService, manyServices, requestQuota, smallBuffer, tooMany } from './life-cycle.js';
import type { Question } from './question.js';
import { claimedTime, endlessCallee, overwrittenState } from './states.js';

function open(who: string, question: string): Question {
  return { who, question };
}

/** Objections raised on the lists, then questions that follow from the patches. Their numbers are their places, from 1. */
export const questions: readonly Question[] = [
  reachableMemory,
  open('Lorenzo Stoakes, on v2', 'Which of the objections to v1 does v2 answer?'),
  open('Dave Hansen, on v1', 'What does it cost to tear a service with many peers down?'),
  open('Dave Hansen, on patch 14', 'Does the copied fault path behave as the original for own addresses?'),
  keysAgainstIntent,
  keyGivenBack,
  slowBaseline,
  savedCycles,
  threadsAndYield,
  sharingWithoutCall,
  architectureShare,
  largeReservations,
  mappingsOutside,
  manyServices,
  tooMany,
  requestQuota,
  forgedFsBase,
  forgedOneSided,
  open('derived', 'Caller and callee with different credentials: who is checked?'),
  overwrittenState,
  claimedTime,
  open('derived', 'A call into a throttled cgroup?'),
  endlessCallee,
  open('derived', 'Affinity changed, or the CPU taken offline, during a long callee?'),
  open('derived', 'A ranged TLB flush while a peer runs on another CPU?'),
  populatedForOthers,
  forkedService,
  open('derived', 'fork or partial munmap of a shared page mapping?'),
  open('derived', 'ptrace, core dump, perf sample of a sender within a call?'),
  signalToSender,
  receiverKilled,
  open('derived', 'Registered threads that are not of the fair class?'),
  open('derived', 'A CPU with FRED, or 32-bit system calls?'),
  open('derived', 'seccomp, audit, namespaces, cgroups that differ between the two?'),
  smallBuffer,
];
