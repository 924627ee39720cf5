// Calls of a worker's jobs, as if they were functions of the page.

/** On the page: a worker whose jobs are called. */
export class Caller {
  #calls = new Map(); #last = 0; #worker; #closed = false;

  constructor(script) {
    this.#worker = new Worker(new URL(script, import.meta.url), { type: "module" });
    this.#worker.addEventListener("message", ({ data: { id, result, error } }) => {
      const { resolve, reject } = this.#calls.get(id);
      this.#calls.delete(id);
      if (error === undefined) resolve(result); else reject(new Error(error));
    });
    this.#worker.addEventListener("error", event => this.#fail(event.message || "its worker cannot start"));
  }

  /** Has the worker do one of its jobs. */
  call(job, values = {}, transfer = []) {
    if (this.#closed) return Promise.reject(new Error("its worker was closed"));
    const id = ++this.#last;
    return new Promise((resolve, reject) => {
      this.#calls.set(id, { resolve, reject });
      this.#worker.postMessage({ id, job, ...values }, transfer);
    });
  }

  close() {
    this.#closed = true;
    this.#worker.terminate();
    this.#fail("its worker was closed");
  }

  #fail(why) {
    for (const { reject } of this.#calls.values()) reject(new Error(why));
    this.#calls.clear();
  }
}

/** In the worker: does jobs, functions that return a result and what of it is transferred. */
export function answer(jobs) {
  self.addEventListener("message", async ({ data: { id, job, ...values } }) => {
    try {
      const [result, transfer = []] = await jobs[job](values);
      postMessage({ id, result }, transfer);
    } catch (error) {
      postMessage({ id, error: String(error?.message ?? error) });
    }
  });
}
