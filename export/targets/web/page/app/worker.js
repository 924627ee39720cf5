// Paints with one ONNX graph, away from the thread that draws the page.
// A graph takes uint8 RGB [1, H, W, 3], H and W multiples of the generator's stride, and returns the same. One that paints
// strokes takes their canvas as well, which is laid here.
import { layCanvas } from "./canvas.js";
import { answer } from "./calls.js";

let ort, session, stride, strokes;
const laid = new Map();  // canvases by size, the latest last: a picture that adapts goes to and fro between a few
const KEPT = 4;

answer({ load, paint, check, time });

async function load({ model, provider, threads, multiple, paints }) {
  ort = await import(`../ort/ort.${provider}.min.mjs`);
  ort.env.wasm.wasmPaths = new URL("../ort/", import.meta.url).href;
  ort.env.wasm.numThreads = threads;
  ort.env.logLevel = "error";
  session = await ort.InferenceSession.create(new Uint8Array(model), { executionProviders: [provider] });
  stride = multiple;
  strokes = paints;
  return [null];
}

// Paints RGBA pixels. Given the pixels of a frame that is larger, what comes back is the change: what the painting has more and
// what it has less, because scaled up and put onto the frame they leave it its fine detail: frame + large(painted - small), one
// level of a Laplacian pyramid (Burt and Adelson 1983).
async function paint({ pixels, small, width, height }) {
  const started = performance.now(), painted = await run(pixels, width, height), ms = performance.now() - started;
  const found = small ? change(small, painted, width, height) : { painted: opaque(painted, width, height) };
  const pictures = await Promise.all(Object.values(found).map(one => createImageBitmap(new ImageData(one, width, height))));
  return [{ ms, ...Object.fromEntries(Object.keys(found).map((name, i) => [name, pictures[i]])) }, pictures];
}

// Paints a photograph whose painting by PyTorch is known; returns how near they are, as PSNR in dB. Strokes are compared at a
// quarter of the size: one that is another changes its pixels wholly.
async function check({ picture }) {
  const blob = await (await fetch(picture)).blob();
  const both = await createImageBitmap(blob, { colorSpaceConversion: "none" });
  const [width, height] = [both.width / 2, both.height];
  const context = new OffscreenCanvas(both.width, height).getContext("2d", { willReadFrequently: true, alpha: false });
  context.drawImage(both, 0, 0);
  const [given, wanted] = [0, width].map(x => context.getImageData(x, 0, width, height).data);
  const painted = await run(given, width, height), side = strokes ? 4 : 1;
  let squares = 0;
  for (let y = 0; y < height; y += side)
    for (let x = 0; x < width; x += side)
      for (let c = 0; c < 3; c++) squares += mean(wanted, painted, c, x, y, width, side) ** 2;
  return [squares ? 10 * Math.log10(255 ** 2 / (squares * side * side / (width * height * 3))) : 99];
}

// By how much RGBA pixels of a square exceed RGB ones, in one colour.
function mean(rgba, rgb, c, left, top, width, side) {
  let sum = 0;
  for (let y = top; y < top + side; y++)
    for (let x = left; x < left + side; x++) sum += rgba[4 * (y * width + x) + c] - rgb[3 * (y * width + x) + c];
  return sum / (side * side);
}

// Returns how long a painting takes, in ms, once the browser has compiled what it found to be hot: the median of
// the last five. Gives up early on what takes more than `most`.
async function time({ width, height, most }) {
  const noise = Uint8ClampedArray.from({ length: width * height * 4 }, (_, i) => (i * 7919 >> 5) & 255);
  const times = [], begun = performance.now();
  while (times.length < 7 || performance.now() - begun < 1500) {
    const started = performance.now();
    await run(noise, width, height);
    times.push(performance.now() - started);
    if (times.length > 3 && times.at(-1) > 2 * most) break;
  }
  return [times.slice(-5).sort((a, b) => a - b)[2]];
}

// From RGBA to the painting's RGB, whose rows are as long as the graph wants them only inside here.
async function run(rgba, width, height) {
  const [columns, rows] = [width, height].map(side => Math.max(2 * stride, Math.ceil(side / stride) * stride));
  const frame = new Uint8Array(rows * columns * 3);
  for (let y = 0, to = 0; y < rows; y++) {  // beyond the border it is repeated
    const row = Math.min(y, height - 1) * width;
    for (let x = 0; x < columns; x++, to += 3) {
      const from = 4 * (row + Math.min(x, width - 1));
      frame[to] = rgba[from]; frame[to + 1] = rgba[from + 1]; frame[to + 2] = rgba[from + 2];
    }
  }
  const fed = { ...canvasFor(rows, columns), frame: new ort.Tensor("uint8", frame, [1, rows, columns, 3]) };
  const [name] = session.outputNames, output = (await session.run(fed, [name]))[name];
  const painted = await output.getData();
  output.dispose();
  if (columns === width) return painted.subarray(0, height * width * 3);
  const cropped = new Uint8Array(height * width * 3);
  for (let y = 0; y < height; y++)
    cropped.set(painted.subarray(y * columns * 3, (y * columns + width) * 3), y * width * 3);
  return cropped;
}

// What a graph that paints strokes takes beside the frame.
function canvasFor(rows, columns) {
  if (!strokes) return {};
  const key = `${columns}x${rows}`;
  let tensors = laid.get(key);
  if (!tensors) {
    const canvas = Object.entries(layCanvas(strokes, rows, columns));
    tensors = Object.fromEntries(canvas.map(([name, [type, values, shape]]) => [name, new ort.Tensor(type, values, shape)]));
    if (laid.size === KEPT) laid.delete(laid.keys().next().value);
  }
  laid.delete(key);
  laid.set(key, tensors);
  return tensors;
}

function change(small, painted, width, height) {
  const more = new Uint8ClampedArray(4 * width * height).fill(255), less = more.slice();
  for (let from = 0, to = 0; to < more.length; to += 4)
    for (let c = to; c < to + 3; c++, from++) {
      const difference = painted[from] - small[c];  // what is below zero becomes zero
      more[c] = difference;
      less[c] = -difference;
    }
  return { more, less };
}

// From RGB to RGBA; every machine that browsers run on has a number's lowest byte first.
function opaque(rgb, width, height) {
  const pixels = new Uint32Array(width * height);
  for (let i = 0, from = 0; i < pixels.length; i++, from += 3)
    pixels[i] = 0xff000000 | rgb[from + 2] << 16 | rgb[from + 1] << 8 | rgb[from];
  return new Uint8ClampedArray(pixels.buffer);
}
