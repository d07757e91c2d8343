// Waiting for events with a deadline. The deadlines are there to end a test that would hang; no test passes or
// fails by how fast something was, so they are generous: a sanitizer build on a busy two-core machine keeps them.

export const DEADLINE_MS = Number(process.env.ALOHA_TEST_DEADLINE_MS ?? 30_000);

/**
 * Rejects when a promise is not settled in time, saying what was waited for.
 * @template T
 * @param {Promise<T>} promise
 * @param {string | (() => string)} what
 * @param {number} [ms]
 * @returns {Promise<T>}
 */
export function within(promise, what, ms = DEADLINE_MS) {
  /** @type {NodeJS.Timeout} */
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => {
      const text = typeof what === 'function' ? what() : what;
      reject(new Error(`waited ${ms} ms in vain for ${text}`));
    }, ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/**
 * Something that changes, and those who wait for it to be in a certain state.
 * Whoever changes the state calls changed(); until() looks again after each change.
 */
export class Changes {
  #waiting = new Set();

  changed() {
    for (const look of [...this.#waiting]) look();
  }

  /**
   * @template T
   * @param {() => T | undefined | false | null} look  what is waited for, or nothing while it is not there
   * @param {string | (() => string)} what
   * @param {number} [ms]
   * @returns {Promise<T>}
   */
  until(look, what, ms) {
    /** @type {() => void} */
    let again;
    const found = new Promise((resolve, reject) => {
      again = () => {
        try {
          const value = look();
          if (value === undefined || value === false || value === null) return;
          this.#waiting.delete(again); // at once: looking may take something away, and must not do so twice
          resolve(value);
        } catch (error) {
          this.#waiting.delete(again);
          reject(error);
        }
      };
      this.#waiting.add(again);
      again();
    });
    return within(found, what, ms).finally(() => this.#waiting.delete(again));
  }
}

/** For the rare case that an absence must last a while. @param {number} ms */
export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
