#!/usr/bin/env node
import { runRfcBenchmark } from './rfc-benchmark.js';

const result = runRfcBenchmark({ machine: {}, placement: 'cross-socket', messages: 1000, size: 32, phases: ['epoll', 'rpal'] });
for (const { phase, messages, totalCycles } of result.phases) console.log(phase, totalCycles / messages);
