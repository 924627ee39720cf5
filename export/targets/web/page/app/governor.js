// Holds a frame rate by painting smaller. The same rule as that of `pleinair live --target-fps`, runtime/live/adaptive.py.

const SCALES = [1, 0.85, 0.7, 0.6, 0.5, 0.42, 0.35, 0.3, 0.25];
const SHARE = 0.9;  // of a frame's time that painting may take
const ROOM = 0.75;  // a larger size must be foreseen to fit into this much of it: hysteresis
const [SLOW, QUICK] = [5, 45];  // frames that must agree before the size falls, or grows
const MEMORY = 0.8;  // of the running mean of times

/** Decides how small to paint, from how long painting takes: it falls soon and grows late, so it does not swing. */
export class Governor {
  #level = 0; #slow = 0; #quick = 0; #mean; #budget = Infinity;

  /** What to paint at, as a part of the full width and height. */
  get scale() { return SCALES[this.#level]; }

  /**
   * Begins with the largest scale that is foreseen to hold the rate.
   * @param {number} fps To hold; 0 paints at full size.
   * @param {number} ms Foreseen for a frame at full size.
   */
  begin(fps, ms) {
    this.#budget = fps ? SHARE * 1000 / fps : Infinity;
    this.#slow = this.#quick = 0;
    const fits = SCALES.findIndex(scale => ms * scale ** 2 <= this.#budget);
    this.#level = fits < 0 ? SCALES.length - 1 : fits;
    this.#mean = undefined;
  }

  /** Takes in how long one frame took at the present scale, in ms. */
  note(ms) {
    this.#mean = this.#mean === undefined ? ms : MEMORY * this.#mean + (1 - MEMORY) * ms;
    this.#slow = this.#mean > this.#budget ? this.#slow + 1 : 0;
    const foreseen = this.#mean * (SCALES[Math.max(0, this.#level - 1)] / this.scale) ** 2;
    this.#quick = this.#level && foreseen < ROOM * this.#budget ? this.#quick + 1 : 0;
    if (this.#slow >= SLOW && this.#level < SCALES.length - 1) this.#move(1);
    else if (this.#quick >= QUICK) this.#move(-1);
  }

  #move(by) {
    const before = this.scale;
    this.#level += by;
    this.#slow = this.#quick = 0;
    this.#mean *= (this.scale / before) ** 2;
  }
}

/** Scales a width and height to multiples of 8, which need no padding; scale 1 changes nothing. */
export function scaled(width, height, scale) {
  return scale === 1 ? [width, height] : [width, height].map(side => Math.max(16, Math.round(side * scale / 8) * 8));
}
