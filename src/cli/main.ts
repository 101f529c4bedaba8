#!/usr/bin/env node
/**
 * The entry of the command line. Signals are listened for before anything else is loaded, which takes longer than
 * Node's own start.
 */
import { interruption } from './interrupt.js';

interruption.listen();
const { run } = await import('./program.js');
await run(process.argv.slice(2));
