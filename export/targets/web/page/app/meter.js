// Frames a second and delay, which are different things.

/** Counts the frames of the last two seconds. */
export class Meter {
  #shown = [];

  /** Takes in a frame that is shown now and was captured then, both in ms. */
  note(now, captured) {
    this.#shown.push({ now, delay: now - captured });
    while (this.#shown[0].now < now - 2000) this.#shown.shift();
  }

  reset() { this.#shown = []; }

  get fps() {
    const span = this.#shown.at(-1)?.now - this.#shown[0]?.now;
    return span ? (this.#shown.length - 1) * 1000 / span : 0;
  }

  get delay() {
    const delays = this.#shown.map(frame => frame.delay).sort((a, b) => a - b);
    return delays[delays.length >> 1] ?? 0;
  }
}
