// Where the packaged libwebsockets (4.1.6 of Debian 12) does something else than RFC 6455 says, case by case: what it does,
// and why nobody is harmed. The check demands exactly this. When a later library does what the standard wants, the check
// says so, and the row goes.

import { string } from './bytes.mjs';

/** @type {Record<string, { expect: import('./harness.mjs').Expectation, why: string }>} */
export const DEVIATIONS = {
  '1.1.11a': {
    expect: { close: 'open', echo: [Buffer.from('1')] },
    why: 'a length may be spelled wider than it needs; judged by what it says, so no limit is passed',
  },
  '1.1.12a': {
    expect: { close: 'open', echo: [string('plain')] },
    why: 'F2: unmasked frames are taken. Masks protect proxies from scripts in browsers, and a browser always masks',
  },
  '2.10a': {
    expect: { pongs: [Buffer.from('payload-0')] },
    why: 'one pong waits at a time (R22), the first, where section 5.5.3 would have the latest',
  },
};
