#!/usr/bin/env node
import { runCli } from '@fleetlog/shared/cli';
import { simCommand } from './commands.js';

await runCli(simCommand());
