// Stillness: where a video stands still, the frame that is painted stays the same to the last bit. The same rule as
// runtime/strokes/still.py, which says why; here frames are RGBA, as a canvas gives them.

const CELL = 8, BLOCK = 4, FINE = 7, CALM = 4, CUT = 0.85, PACE = 1 / 16, DRIFT = 1.25, EVERY = 8;

/** Keeps each small cell of a video as it was until it changes by more than noise. Frames have to come in their order. */
export class Still {
  #kept; #width; #height; #small; #drift; #busy; #count;
  #rows; #columns;  // of blocks

  /** Returns what to paint instead of a frame, RGBA; it is overwritten by the next call. */
  take(frame, width, height) {
    const known = this.#kept && this.#width === width && this.#height === height;
    [this.#width, this.#height] = [width, height];
    this.#rows = Math.ceil(height / CELL) * 2;
    this.#columns = Math.ceil(width / CELL) * 2;
    const small = this.#reduced(frame);
    if (!known) return this.#anew(frame, small);
    const apart = small.map((value, i) => value - this.#small[i]), around = this.#around(apart);
    const cells = this.#changed(apart, around);
    if (cells.reduce((sum, cell) => sum + cell, 0) > CUT * cells.length) return this.#anew(frame, small);
    for (let i = 0; i < cells.length; i++) this.#busy[i] = cells[i] ? CALM : Math.max(this.#busy[i], 1) - 1;
    const moving = this.#moving();
    this.#takeMoving(frame, small, moving);
    this.#follow(around, moving);
    if (++this.#count % EVERY === 0) this.#correctLight();
    return this.#kept;
  }

  #anew(frame, small) {
    this.#kept = frame.slice();
    this.#small = small;
    this.#drift = new Float32Array(small.length);
    this.#busy = new Uint8Array(this.#rows * this.#columns / 4);
    this.#count = 0;
    return this.#kept;
  }

  // Means of blocks, by halving twice; sides are filled up to whole cells by repeating the border.
  #reduced(frame) {
    const [rows, columns] = [2 * this.#rows, 2 * this.#columns], half = new Uint8Array(rows * columns * 3);
    for (let y = 0, to = 0; y < rows; y++) {
      const [above, below] = [2 * y, 2 * y + 1].map(row => Math.min(row, this.#height - 1) * this.#width);
      for (let x = 0; x < columns; x++) {
        const left = Math.min(2 * x, this.#width - 1), right = Math.min(2 * x + 1, this.#width - 1);
        const a = 4 * (above + left), b = 4 * (above + right), c = 4 * (below + left), d = 4 * (below + right);
        for (let k = 0; k < 3; k++) half[to++] = (frame[a + k] + frame[b + k] + frame[c + k] + frame[d + k] + 2) >> 2;
      }
    }
    const small = new Int16Array(this.#rows * this.#columns * 3);
    for (let y = 0, to = 0; y < this.#rows; y++)
      for (let x = 0; x < this.#columns; x++) {
        const a = 3 * (2 * y * columns + 2 * x), c = a + 3 * columns;
        for (let k = a; k < a + 3; k++) small[to++] = (half[k] + half[k + 3] + half[k + 3 * columns] + half[k + 3 * columns + 3] + 2) >> 2;
      }
    return small;
  }

  // Sums over 3x3 blocks, the border mirrored.
  #around(apart) {
    const rows = this.#rows, columns = this.#columns, across = new Int16Array(apart.length), sums = new Int16Array(apart.length);
    const mirrored = (at, count) => at < 0 ? 1 : at === count ? count - 2 : at;
    for (let y = 0; y < rows; y++)
      for (let x = 0; x < columns; x++) {
        const at = 3 * (y * columns + x), left = 3 * (y * columns + mirrored(x - 1, columns)), right = 3 * (y * columns + mirrored(x + 1, columns));
        for (let k = 0; k < 3; k++) across[at + k] = apart[left + k] + apart[at + k] + apart[right + k];
      }
    for (let y = 0; y < rows; y++) {
      const [above, own, below] = [mirrored(y - 1, rows), y, mirrored(y + 1, rows)].map(row => 3 * row * columns);
      for (let i = 0; i < 3 * columns; i++) sums[own + i] = across[above + i] + across[own + i] + across[below + i];
    }
    return sums;
  }

  // Which cells changed, by the largest change of a colour in blocks, or in 3x3 blocks.
  #changed(apart, around) {
    const columns = this.#columns, cells = new Uint8Array(this.#rows * columns / 4);
    for (let i = 0; i < apart.length; i++)
      if (Math.max(Math.abs(apart[i]) * 3, Math.abs(around[i])) > 3 * FINE) {
        const block = Math.floor(i / 3), row = Math.floor(block / columns) >> 1;
        cells[row * (columns / 2) + (block % columns >> 1)] = 1;
      }
    return cells;
  }

  // The cells that are busy, and their neighbours.
  #moving() {
    const rows = this.#rows / 2, columns = this.#columns / 2, moving = new Uint8Array(rows * columns);
    for (let y = 0; y < rows; y++)
      for (let x = 0; x < columns; x++) {
        if (!this.#busy[y * columns + x]) continue;
        for (let row = Math.max(0, y - 1); row <= Math.min(rows - 1, y + 1); row++)
          for (let column = Math.max(0, x - 1); column <= Math.min(columns - 1, x + 1); column++) moving[row * columns + column] = 1;
      }
    return moving;
  }

  // Takes the moving cells from the frame, whole.
  #takeMoving(frame, small, moving) {
    const columns = this.#columns / 2, width = this.#width;
    moving.forEach((moves, cell) => {
      if (!moves) return;
      const top = Math.floor(cell / columns), left = cell % columns, right = Math.min(width, CELL * (left + 1));
      for (let y = CELL * top; y < Math.min(this.#height, CELL * (top + 1)); y++) {
        const begin = 4 * (y * width + CELL * left);
        this.#kept.set(frame.subarray(begin, 4 * (y * width + right)), begin);
      }
      for (let row = 2 * top; row < 2 * top + 2; row++) {
        const begin = 3 * (row * this.#columns + 2 * left);
        this.#small.set(small.subarray(begin, begin + 6), begin);
      }
    });
  }

  // The running mean of how much lighter the frames are than what is kept.
  #follow(around, moving) {
    const columns = this.#columns;
    for (let i = 0; i < around.length; i++) {
      const block = Math.floor(i / 3), row = Math.floor(block / columns) >> 1;
      const moves = moving[row * (columns / 2) + (block % columns >> 1)];
      this.#drift[i] = moves ? 0 : this.#drift[i] * (1 - PACE) + around[i] * (PACE / 9);
    }
  }

  // Adds whole grey levels where what is kept has been off by more than one for long.
  #correctLight() {
    for (let i = 0; i < this.#drift.length; i++) {
      if (Math.abs(this.#drift[i]) <= DRIFT) continue;
      const missing = Math.round(this.#drift[i]), block = Math.floor(i / 3), colour = i % 3;
      this.#drift[i] -= missing;
      this.#small[i] += missing;
      const top = BLOCK * Math.floor(block / this.#columns), left = BLOCK * (block % this.#columns);
      for (let y = top; y < Math.min(this.#height, top + BLOCK); y++)
        for (let x = left; x < Math.min(this.#width, left + BLOCK); x++) this.#kept[4 * (y * this.#width + x) + colour] += missing;
    }
  }
}
