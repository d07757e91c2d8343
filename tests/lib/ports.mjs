// Which ports of this test run speak TLS: whoever starts a server knows it from its log, whoever connects asks here.

/** @type {Set<number>} */
const secure = new Set();

/** @param {number} port @param {boolean} isSecure */
export function notePort(port, isSecure) {
  if (isSecure) secure.add(port);
  else secure.delete(port); // ports come again
}

/** @param {number | string} port  a path is none */
export const isSecurePort = (port) => typeof port === 'number' && secure.has(port);

/** @param {string} host  name:port */
export const isSecureHost = (host) => secure.has(Number(host.slice(host.lastIndexOf(':') + 1)));

/** All servers of this test run speak TLS with a certificate of their own making: ALOHA_TEST_TLS=1. */
export const everythingIsSecure = process.env.ALOHA_TEST_TLS === '1';
