// Lays the canvas of a painter with strokes from its hand, size and seed: the same bits as canvas/layout.py, which says what
// everything is. No page is needed for it: any JavaScript engine will do.
import { stream } from "./randoms.js";
import { AXES, DIRECTIONS, VARIANTS, drawStamps, sideOf } from "./stamps.js";

const CELL = 4, PATCH = [9, 14], OWNS = { 1: 102, 2: 64 }, WANDER = 64, ALIKE = 0.913, NEVER = 9, DIFFERENCES = 8, PLACES = 100;
const RANDOM = 9;  // random numbers of a mark: how it differs, and what it shows from
const NONE = [0, 0, 0];
const STROKES = { fine: 0.7, medium: 1.0, large: 1.4 };

/** Lays the canvas for frames of height x width, multiples of 32: what a graph takes, [type, values, shape] by name. */
export function layCanvas({ hand, step, stroke, seed }, height, width) {
  const scale = scaleOf(height, stroke), size = [height, width], [h, w] = size.map(side => side / step);
  const ground = layGround(size, step, scale / step, seed);
  const scattered = hand.layers.map((layer, index) => scatter(layer, index, size, step, scale, seed));
  const marks = new Marks(hand, 1 + ground.middles.length + scattered.reduce((sum, { count }) => sum + count, 0));
  marks.add(0, 0, NEVER, NONE);
  ground.middles.forEach(([y, x], i) => {
    marks.add(cell(0, y * step, x * step, size), 0, NEVER, NONE);
    marks.differ(ground.random, i * DIFFERENCES);
  });
  const pitch = Math.max(...hand.layers.map(layer => sideOf(layer, scale))) / step, laid = {}, drawn = [];
  let first = 0;
  hand.layers.forEach((layer, index) => {
    const stamps = drawStamps(layer, scale, index + 1), reach = stamps.side / step, half = Math.floor(reach * step / 2);
    const found = scattered[index], { count, y, x, stamp, random } = found, before = marks.count;
    const axes = AXES.map(([a, b]) => layer.aligned ? [a * a - b * b, 2 * a * b, -ALIKE] : [0 * (a * a - b * b), 0 * (2 * a * b), 1]);
    for (let i = 0; i < count; i++) {
      const top = found.top[i] = Math.floor((y[i] - half) / step), left = found.left[i] = Math.floor((x[i] - half) / step);
      const origin = stamp[i] * reach * pitch - top * pitch - left + first;
      marks.add(cell(index, y[i], x[i], size), origin, random[i * RANDOM + 8], axes[Math.floor(stamp[i] / VARIANTS)]);
      marks.differ(random, i * RANDOM);
    }
    candidates(stamps, found, before, [h, w], step).forEach((slot, direction) => {
      laid[`candidates_${index}_${direction}`] = ["int32", slot, [h * w]];
    });
    drawn.push([stamps, reach]);
    first += DIRECTIONS * VARIANTS * reach * pitch;
  });
  const place = new Int32Array(h * w);
  for (let row = 0, i = 0; row < h; row++) for (let column = 0; column < w; column++) place[i++] = row * pitch + column;
  return { ...laid, ground: ["int32", ground.numbers, [h, w]], ...marks.arrays(), ...texels(drawn, step, pitch, first),
    rest: ["float32", rest(size, scale, seed), [2, height / CELL, width / CELL]], place: ["int32", place, [h * w]] };
}

/** The scale of marks for a picture of so many rows. */
export function scaleOf(rows, stroke) {
  return Math.min(3, Math.max(0.375, toEven(8 * STROKES[stroke] * rows / 720) / 8));
}

// Rounds halves to the even one.
function toEven(value) {
  const whole = Math.floor(value), part = value - whole;
  return whole + (part > 0.5 || part === 0.5 && whole % 2 ? 1 : 0);
}

// Marks as a graph takes them, written one after the other.
class Marks {
  count = 0;
  #hand; #all; #cells; #origins; #rows;

  constructor(hand, all) {
    this.#hand = hand;
    this.#all = all;
    this.#cells = new Int32Array(all);
    this.#origins = new Int32Array(all);
    this.#rows = new Float32Array(8 * all);
  }

  add(at, origin, showFrom, axis) {
    const mark = this.count++;
    this.#cells[mark] = at;
    this.#origins[mark] = origin;
    this.#rows[mark] = showFrom;
    for (let i = 0; i < 3; i++) this.#rows[(1 + i) * this.#all + mark] = axis[i];
  }

  // How the mark that was added last differs from the plan's colour, by random numbers from a place on.
  differ(random, from) {
    const { lightness, hue, hues, accents, accent } = this.#hand, rows = this.#rows, all = this.#all, mark = this.count - 1;
    const pure = random[from + 7] < accents ? accent : 1;
    rows[4 * all + mark] = (random[from] + random[from + 1] - 1) * 2 * lightness;
    for (let c = 0; c < 3; c++) {
      let sum = 0;
      for (let i = 0; i < hues.length; i++) sum += (random[from + 2 + i] * 2 - 1) * hue * pure * hues[i][c];
      rows[(5 + c) * all + mark] = sum;
    }
  }

  arrays() {
    const count = this.#all;
    return { cell: ["int32", this.#cells, [count]], marks: ["float32", this.#rows, [8, count]],
      origin: ["int32", this.#origins, [count]] };
  }
}

function cell(layer, y, x, [height, width]) {
  const rows = height / CELL, columns = width / CELL, within = (at, count) => Math.min(Math.max(Math.floor(at / CELL), 0), count - 1);
  return (layer * rows + within(y, rows)) * columns + within(x, columns);
}

// The patches: their number at each sample, their middles, their random numbers.
function layGround(size, step, scale, seed) {
  const [height, width] = size.map(side => side / step), [down, across] = PATCH.map(side => side * scale);
  const rows = new Int32Array(height * width), columns = new Int32Array(height * width), fields = [field(seed, 80), field(seed, 81)], shift = stream(seed, 82);
  for (let row = 0, i = 0; row < height; row++)
    for (let column = 0; column < width; column++, i++) {
      const y = (row + 0.5) / down, x = (column + 0.5) / across;
      rows[i] = Math.floor(y + (fields[0](y, x) - 0.5) * 1.6);
      columns[i] = Math.floor(x + (fields[1](y, x) - 0.5) * 1.6 + shift(rows[i]));
    }
  const least = values => values.reduce((a, b) => Math.min(a, b)), most = values => values.reduce((a, b) => Math.max(a, b));
  const top = least(rows), left = least(columns), wide = most(columns) - left + 1;
  const numbers = new Int32Array(rows.length), sums = new Map();
  const placeOf = i => (rows[i] - top) * wide + columns[i] - left;
  for (let i = 0; i < rows.length; i++) {
    const place = placeOf(i);
    if (!sums.has(place)) sums.set(place, { count: 0, y: 0, x: 0, patch: [rows[i], columns[i]] });
    const sum = sums.get(place);
    sum.count++; sum.y += Math.floor(i / width) + 0.5; sum.x += i % width + 0.5;
  }
  const places = [...sums.keys()].sort((a, b) => a - b);
  places.forEach((place, i) => { sums.get(place).number = i + 1; });
  for (let i = 0; i < rows.length; i++) numbers[i] = sums.get(placeOf(i)).number;
  const patches = places.map(place => sums.get(place)), draw = stream(seed, 90);
  const random = new Float64Array(patches.length * DIFFERENCES);
  patches.forEach(({ patch: [row, column] }, place) => {
    for (let i = 0; i < DIFFERENCES; i++) random[place * DIFFERENCES + i] = draw(row, column, i);
  });
  return { numbers, middles: patches.map(({ count, y, x }) => [y / count, x / count]), random };
}

function rest(size, scale, seed) {
  const [rows, columns] = size.map(side => side / CELL), apart = CELL / (WANDER * scale), wander = field(seed, 84);
  const out = new Float32Array(2 * rows * columns);
  for (let row = 0, i = 0; row < rows; row++)
    for (let column = 0; column < columns; column++, i++) {
      const slope = (wander(row * apart * 1.4, column * apart) - 0.5) * 0.8, norm = 1 + slope * slope;
      const cosine = (1 - slope * slope) / norm, sine = 2 * slope / norm;
      out[i] = cosine * cosine - sine * sine;
      out[rows * columns + i] = 2 * cosine * sine;
    }
  return out;
}

// A smooth random field in 0..1 over a lattice of period 1.
function field(seed, number) {
  const at = stream(seed, number);
  return (y, x) => {
    const row = Math.floor(y), column = Math.floor(x);
    let v = y - row, u = x - column;
    v = v * v * (3 - 2 * v); u = u * u * (3 - 2 * u);
    const a = at(row, column), b = at(row, column + 1), c = at(row + 1, column), d = at(row + 1, column + 1);
    const top = a + (b - a) * u, bottom = c + (d - c) * u;
    return top + (bottom - top) * v;
  };
}

// The marks of a layer over jittered lattices, one a direction, in the order of painting.
function scatter(layer, index, size, step, scale, seed) {
  const side = sideOf(layer, scale), half = side / 2;
  const area = 0.5 * (1 + layer.shortest) * layer.length * layer.width * 0.8 * (layer.aligned ? 1 : DIRECTIONS);
  const apart = scale * Math.sqrt(area / layer.cover);
  const [rows, columns] = size.map(length => Math.trunc((length + side) / apart) + 2), most = DIRECTIONS * rows * columns;
  const whole = at => Math.floor(at / step) * step;
  const draws = Array.from({ length: 12 }, (_, i) => stream(seed, PLACES * (index + 1) + i));
  const places = new Int32Array(3 * most), order = new Float64Array(most);
  let count = 0;
  for (let slot = 0; slot < DIRECTIONS; slot++)
    for (let row = 0; row < rows; row++)
      for (let column = 0; column < columns; column++) {
        const y = whole((row + draws[9](slot, row, column)) * apart - side / 2);
        const x = whole((column + draws[10](slot, row, column)) * apart - side / 2);
        if (!(y > -half && y < size[0] + half && x > -half && x < size[1] + half)) continue;
        places.set([(slot * rows + row) * columns + column, y, x], 3 * count);
        // By what it shows from, the largest first: 32 bits of a whole number. Then in turn, in the 21 bits that are left.
        order[count] = (4294967296 - draws[8](slot, row, column) * 4294967296) * 2097152 + count++;
      }
  const found = { count, y: new Int32Array(count), x: new Int32Array(count), stamp: new Int32Array(count),
    top: new Int32Array(count), left: new Int32Array(count), random: new Float64Array(RANDOM * count) };
  order.subarray(0, count).sort().forEach((key, i) => {
    const from = 3 * (key - Math.floor(key / 2097152) * 2097152), at = places[from];
    const slot = Math.floor(at / (rows * columns)), row = Math.floor(at / columns) % rows, column = at % columns;
    found.y[i] = places[from + 1];
    found.x[i] = places[from + 2];
    for (let k = 0; k < RANDOM; k++) found.random[i * RANDOM + k] = draws[k](slot, row, column);
    found.stamp[i] = slot * VARIANTS + Math.floor(draws[11](slot, row, column) * VARIANTS);
  });
  return found;
}

// The topmost mark of each direction at each sample: marks come in the order of painting.
function candidates({ side, cover }, { count, top, left, stamp }, before, [height, width], step) {
  const reach = side / step, least = OWNS[step] * (cover.reduce((a, b) => Math.max(a, b)) / 255), owned = [];
  for (let stamp = 0; stamp < DIRECTIONS * VARIANTS; stamp++) {
    const places = [];
    for (let y = 0; y < reach; y++)
      for (let x = 0; x < reach; x++) {
        let sum = 0;
        for (let i = 0; i < step; i++) for (let j = 0; j < step; j++) sum += cover[(stamp * side + y * step + i) * side + x * step + j];
        if (sum / (step * step) >= least) places.push(y, x);
      }
    owned.push(Int32Array.from(places));
  }
  const slots = Array.from({ length: DIRECTIONS }, () => new Int32Array(height * width));
  for (let i = 0; i < count; i++) {
    const out = slots[Math.floor(stamp[i] / VARIANTS)], places = owned[stamp[i]];
    for (let k = 0; k < places.length; k += 2) {
      const y = top[i] + places[k], x = left[i] + places[k + 1];
      if (y >= 0 && y < height && x >= 0 && x < width) out[y * width + x] = before + i;
    }
  }
  return slots;
}

// Of each pixel of a sample cover as 0..255, and relief behind the point.
function texels(drawn, step, pitch, count) {
  const planes = {};
  for (let row = 0; row < step; row++)
    for (let column = 0; column < step; column++) {
      const plane = new Float32Array(count);
      let to = 0;
      for (const [{ side, cover, relief }, reach] of drawn)
        for (let line = 0; line < DIRECTIONS * VARIANTS * reach; line++, to += pitch)
          for (let x = 0; x < reach; x++) {
            const from = (line * step + row) * side + x * step + column;
            plane[to + x] = cover[from] + relief[from] / 256;
          }
      planes[`texels_${row}_${column}`] = ["float32", plane, [count]];
    }
  return planes;
}
