import { registerHooks } from 'node:module';

/* For `node --import`: the thread of a SocketCAN source gets the system calls of udp-libc.ts. */
registerHooks({
  resolve(specifier, context, next) {
    const isCapture = specifier === './libc.js' && context.parentURL?.endsWith('/capture-worker.js');
    return isCapture
      ? { url: new URL('./udp-libc.js', import.meta.url).href, shortCircuit: true }
      : next(specifier, context);
  },
});
