import { largeReservations, mappingsOutside } from './address-space.js';
import { sharingWithoutCall, threadsAndYield } from './alternatives.js';
import { architectureShare, savedCycles, slowBaseline } from './cost.js';
import { differentCredentials, differentPolicies } from './credentials.js';
import { receiverKilled, signalToSender } from './death.js';
import { unhookedEntries } from './entries.js';
import { copiedFaultPath } from './fault-path.js';
import { forgedFsBase, forgedOneSided } from './forged-identity.js';
import { keyGivenBack, keysAgainstIntent, populatedForOthers, reachableMemory } from './isolation.js';
import { forkedService, manyServices, requestQuota, smallBuffer, tooMany } from './life-cycle.js';
import { stillStanding } from './objections.js';
import { observers } from './observers.js';
import type { Question } from './question.js';
import { movedDuringCall, otherClasses, throttledCallee } from './scheduling.js';
import { sharedPageMappings, staleFlush } from './stale-memory.js';
import { claimedTime, endlessCallee, overwrittenState } from './states.js';
import { tearDownCost } from './teardown.js';

/** Objections raised on the lists, then questions that follow from the patches. Their numbers are their places, from 1. */
export const questions: readonly Question[] = [
  reachableMemory,
  stillStanding,
  tearDownCost,
  copiedFaultPath,
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
  differentCredentials,
  overwrittenState,
  claimedTime,
  throttledCallee,
  endlessCallee,
  movedDuringCall,
  staleFlush,
  populatedForOthers,
  forkedService,
  sharedPageMappings,
  observers,
  signalToSender,
  receiverKilled,
  otherClasses,
  unhookedEntries,
  differentPolicies,
  smallBuffer,
];
