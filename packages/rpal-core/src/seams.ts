import { Slot } from '@rpal/bus';
import type { CpuProfile } from '@rpal/hw-x86';
import { type Isolation, protectionKeys } from './memory/isolation.js';
import { copiedEntries, type Sharing } from './memory/sharing.js';

/** The seams of RPAL's kernel half. Plugins that use them require `@rpal/rpal-core`. */
export class RpalSeams {
  readonly slots: { readonly rpalIsolation: Slot<Isolation>; readonly rpalSharing: Slot<Sharing> };

  constructor(profile: CpuProfile) {
    this.slots = {
      /**
       * What keeps services out of each other's memory outside calls. Protection keys if no plugin provides anything else; the
       * machine is refused if its CPUs cannot do it.
       * @cost 4 changes of rights per call; one per return by the kernel.
       */
      rpalIsolation: new Slot<Isolation>('rpalIsolation', { fallback: protectionKeys, refuse: ({ refusal }) => refusal(profile) }),
      /**
       * How two services get each other's memory. Copied top-level page-table entries if no plugin provides anything else.
       * @cost once per pair of services, and once per fault on a peer's address.
       */
      rpalSharing: new Slot<Sharing>('rpalSharing', { fallback: copiedEntries }),
    };
  }
}

declare module '@rpal/bus' {
  interface Slots extends RpalSlots {}
}

type RpalSlots = RpalSeams['slots'];
