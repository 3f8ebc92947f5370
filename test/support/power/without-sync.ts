// Loaded into the gateway with --import for the control of the power-cut test: barriers that do nothing, as of a
// program that forgot them, or a disk that lies.
import { open } from 'node:fs/promises';

await using file = await open('/dev/null');
const handle = Object.getPrototypeOf(file) as typeof file;
handle.sync = handle.datasync = () => Promise.resolve();
