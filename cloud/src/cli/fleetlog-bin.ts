#!/usr/bin/env node
import { runCli } from '@fleetlog/shared/cli';
import { createFleetlog } from './fleetlog.js';

const { stdout, stderr } = process;
await runCli(createFleetlog({ stdout, stderr }));
