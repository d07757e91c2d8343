/** What several of the tests need: a clock that stands still, a socket, and a connection that only remember. */

/** Time that passes when a test says so. */
export class FakeClock {
  #timers = [];
  now = 0;

  setTimer = (action, ms) => {
    const timer = { at: this.now + ms, action };
    this.#timers.push(timer);
    return timer;
  };

  clearTimer = (timer) => {
    this.#timers = this.#timers.filter((each) => each !== timer);
  };

  /** How long until each of the waiting timers fires. */
  get waiting() {
    return this.#timers.map((timer) => timer.at - this.now);
  }

  pass(ms) {
    const end = this.now + ms;
    for (;;) {
      const due = this.#timers.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)[0];
      if (!due) break;
      this.now = due.at;
      this.clearTimer(due);
      due.action();
    }
    this.now = end;
  }
}

export class FakeSocket {
  readyState = 0;
  sent = [];
  closedWith = null;

  send(text) {
    this.sent.push(JSON.parse(text));
  }

  close(code) {
    this.readyState = 3;
    this.closedWith = code;
  }

  /** The hub accepts. */
  accept() {
    this.readyState = 1;
    this.onopen();
  }

  /** The hub says something. */
  deliver(message) {
    this.onmessage({ data: typeof message === 'string' ? message : JSON.stringify(message) });
  }

  /** The hub hangs up, or the network does. */
  break(code = 1006) {
    this.readyState = 3;
    this.onclose({ code });
  }
}

/** Lets everything happen that was only waiting for a promise. */
export const settle = () => new Promise((resolve) => setImmediate(resolve));
