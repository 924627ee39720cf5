// Brush marks as small pictures: the same as canvas/stamps.py, bit by bit, by sums, products, quotients and square roots.
import { stream } from "./randoms.js";

export const DIRECTIONS = 8, VARIANTS = 6;
export const AXES = [[1, 0], [0.9238795325112867, 0.3826834323650898], [0.7071067811865476, 0.7071067811865476],
  [0.3826834323650898, 0.9238795325112867], [0, 1], [-0.3826834323650898, 0.9238795325112867],
  [-0.7071067811865476, 0.7071067811865476], [-0.9238795325112867, 0.3826834323650898]];
const FINE = 3;  // samples a pixel, along each side
const SURE = 1e-6;
const LIGHT = [-0.53, -0.85];
const TURN = 0.07;

const clip = (value, least, most) => Math.min(Math.max(value, least), most);

/** The even side of the square that any mark of a layer fits into, in pixels. */
export function sideOf(layer, scale) {
  return 2 * Math.trunc(scale * (layer.length * (1 + layer.bend) / 2 + layer.rough + layer.soft) + 2);
}

/** Draws the marks of a layer: { side, cover, relief }, of which each has side * side bytes a mark. */
export function drawStamps(layer, scale, seed) {
  const side = sideOf(layer, scale), marks = DIRECTIONS * VARIANTS;
  const cover = new Uint8Array(marks * side * side), relief = new Uint8Array(marks * side * side).fill(128);
  for (let mark = 0; mark < marks; mark++) {
    const draws = stream(seed, mark), random = Float64Array.from({ length: 208 }, (_, i) => draws(i));
    const turn = ((mark % VARIANTS + random[0]) / VARIANTS * 2 - 1) * TURN;
    const [cosine, sine] = turned(AXES[Math.floor(mark / VARIANTS)], turn), variant = mark % VARIANTS;
    const middle = [Math.floor(variant / (VARIANTS / 2)) - 0.5, variant % 2 - 0.5];
    draw(layer, scale, side, middle, cosine, sine, random, cover.subarray(mark * side * side), relief.subarray(mark * side * side));
  }
  return { side, cover, relief };
}

function turned([x, y], turn) {
  const norm = 1 + turn * turn, c = (1 - turn * turn) / norm, s = 2 * turn / norm;
  return [x * c - y * s, x * s + y * c];
}

function draw(layer, scale, side, middle, cosine, sine, random, cover, relief) {
  const size = layer.shortest + (1 - layer.shortest) * random[1];
  const wide = (0.72 + 0.28 * random[2]) * layer.width * scale / 2, half = Math.max(size * layer.length * scale / 2, wide);
  const bend = (random[3] * 2 - 1) * layer.bend * 2 * half, soft = layer.soft * Math.max(scale, 0.5);
  const end = 1 + soft / (2 * half) + SURE, beside = 1.02 * wide + (layer.rough * scale + soft) / 2 + SURE;
  const aside = beside + Math.abs(bend) * Math.max(1 / 3, end * end - 1 / 3);
  const [down, across] = middle.map(at => i => (i + 0.5) / FINE - side / 2 - at);
  const rows = span(down, side, end * half * Math.abs(sine) + aside * Math.abs(cosine));
  const columns = span(across, side, end * half * Math.abs(cosine) + aside * Math.abs(sine));
  const width = columns[1] - columns[0], height = rows[1] - rows[0];
  const alpha = new Float64Array(height * width), thick = new Float64Array(height * width);
  const paint = painter(layer, scale, half, wide, random, alpha, thick);
  for (let row = 0, i = 0; row < height; row++)
    for (let column = 0; column < width; column++, i++) {
      const x = across(columns[0] + column), y = down(rows[0] + row), t = (x * cosine + y * sine) / half;
      const off = y * cosine - x * sine - bend * (1 / 3 - t * t);
      if (Math.abs(t) <= end && Math.abs(off) <= beside) paint(i, t, off);
    }
  see(layer, alpha, thick, height, width, (row, column, covered, lit) => {
    const to = (rows[0] / FINE + row) * side + columns[0] / FINE + column;
    cover[to] = covered; relief[to] = lit;
  });
}

// Where coordinates are within a distance of 0, in whole pixels, of which one is around it: [first, last + 1], fine samples.
function span(at, side, most) {
  const count = side * FINE;
  const before = value => { let n = 0; while (n < count && at(n) < value) n++; return n; };
  const first = Math.floor(before(-most) / FINE) - 1, last = Math.ceil(before(most) / FINE) + 1;
  return [Math.max(0, first) * FINE, Math.min(side, last) * FINE];
}

// Returns what notes how much paint covers, 0..1, and how thick it lies, at a place of a mark.
function painter(layer, scale, half, wide, random, alpha, thick) {
  const [side, lane, tear] = [16, 80, 144].map(from => random.subarray(from, from + 64));
  const blunt = wide / half, soft = layer.soft * Math.max(scale, 0.5);
  return (i, t, off) => {
    const sides = noise(side, t * 3.0) * layer.rough * scale, outlined = wide * outline(t, blunt), s = off / wide;
    const lanes = noise(lane, s * (2.2 + 0.35 * wide)), ends = 1 - layer.ragged * (0.5 + lanes) * 2;
    const inside = outlined + sides - Math.abs(off), lengthwise = (ends - Math.abs(t)) * half;
    const lifted = clip((t - 0.1) / 0.9, 0, 1) * layer.dry;
    const torn = (lanes + 0.5 - lifted * (0.6 + 0.4 * noise(tear, t * 5.0))) * wide + 1.0;
    const depth = Math.min(Math.min(inside, lengthwise), torn * 1.5);
    alpha[i] = clip(depth / soft + 0.5, 0, 1);
    thick[i] = heightOf(layer, s, t, lanes, depth / wide) * scale;
  };
}

function outline(t, blunt) {
  const end = clip(1 - t * t, 0, 1);
  return Math.sqrt(clip(end / Math.min(1.0, 3.2 * blunt), 0, 1)) * (0.9 - 0.12 * t);
}

function heightOf(layer, s, t, lanes, depth) {
  const edge = clip(depth * 2.5, 0, 1), ridge = edge * (1 + layer.rim * clip(s * s, 0, 1));
  return ridge + layer.relief * lanes * edge * (1.2 - 0.4 * t);
}

function noise(values, at) {
  at += values.length / 2;
  const whole = Math.floor(at), mask = values.length - 1, low = values[whole & mask];
  let part = at - whole;
  part = part * part * (3 - 2 * part);
  return low + (values[(whole + 1) & mask] - low) * part - 0.5;
}

// What of each pixel is covered, and how it is lit, as bytes.
function see(layer, alpha, thick, height, width, put) {
  const lit = new Float64Array(alpha.length), there = alpha.map(value => value > 0 ? 1 : 0);
  for (let row = 0, i = 0; row < height; row++)
    for (let column = 0; column < width; column++, i++) {
      let slope = 0;
      if (column && column < width - 1) slope += (thick[i + 1] - thick[i - 1]) * (FINE / 2) * LIGHT[0];
      if (row && row < height - 1) slope += (thick[i + width] - thick[i - width]) * (FINE / 2) * LIGHT[1];
      lit[i] = slope * there[i];
    }
  const mean = (fine, row, column) => {
    let total = 0;
    for (let y = 0; y < FINE; y++) for (let x = 0; x < FINE; x++) total += fine[(row * FINE + y) * width + column * FINE + x];
    return total / (FINE * FINE);
  };
  for (let row = 0; row < height / FINE; row++)
    for (let column = 0; column < width / FINE; column++) {
      const covered = mean(alpha, row, column) * layer.opaque;
      const light = mean(lit, row, column) / Math.max(mean(there, row, column), 1e-3);
      put(row, column, Math.floor(covered * 255 + 0.5), Math.floor(clip(128 - light * 127, 0, 255) + 0.5));
    }
}
