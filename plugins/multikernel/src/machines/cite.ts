/** Texts that several machines cite. */
export const Cite = {
  cache2cache:
    'AnandTech, "Quad-Core Opteron", 2007, Cache2Cache ping-pong, halved to the time from a store to a load of another core, taken as one transfer as in the other profiles',
  paper: 'Baumann et al., The Multikernel, SOSP 2009, text, as summarised in public notes',
  cpuz: 'AnandTech, "Quad Core Xeon", 2006, CPU-Z memory latencies',
  barcelona: 'The Tech Report, "Quad-Core Opteron 2300", 2007',
  guide: 'AMD Software Optimization Guide for family 0Fh and 10h processors (recalled)',
  recalled: 'general knowledge of the processor family, no text at hand',
  estimate: 'bracket chosen by the authors: no source found',
} as const;
