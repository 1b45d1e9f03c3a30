import type { FlushTargets, MmStruct } from '@rpal/mm';
import { type Rpal, serviceOfMm } from '../rpal.js';

/**
 * A flush of a service reaches the CPUs of all services mapped with it (patch 13): their generations go up, so that their
 * next switch flushes, and their CPUs join the targets. This path takes the place of Linux's, which once a second tells every
 * CPU of the mask and takes out those that have no use for it: the mask of a service never shrinks.
 */
export function widenFlush(rpal: Rpal, targets: FlushTargets<MmStruct>): void {
  const service = serviceOfMm(targets.mm);
  if (service === null) return;
  targets.trims = false;
  for (const peer of service.mappedPeers()) {
    peer.mm.tlbGeneration++;
    targets.sharers.push(peer.mm);
    peer.mm.cpuMask.forEach((word, i) => {
      targets.cpus[i] = (targets.cpus[i] as number) | word;
    });
  }
  targets.reachSharers = !rpal.quirk('tlb-range-filter');
}
