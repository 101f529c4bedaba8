#!/usr/bin/env node
/** Entry point. Signal handlers are installed before the rest is loaded, which takes longer than Node's start. */
import { interruption } from './interrupt.js';

interruption.listen();
const { run } = await import('./program.js');
await run(process.argv.slice(2));
