#!/usr/bin/env node
import './host-engine.js';
import { processIo } from './io.js';
import { main } from './main.js';

// Reports of deaths and deadlocks name the arguments of calls: exported so that the bundle keeps the table.
export { callSignatures } from '@rpal/kernel';

process.exitCode = await main(process.argv.slice(2), processIo());
