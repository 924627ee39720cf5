// Chooses what paints on this device: each way that it has is checked against PyTorch and timed; the quickest stays.
import { Caller } from "./calls.js";
import { Problem } from "./problems.js";

const KEPT = "pleinair engine";
const SIZE = { width: 640, height: 360 };  // that is timed
const SAME = 1.05;  // times that differ by less are equal
// A module with one SIMD instruction, i8x16.popcnt.
const SIMD = Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11);

const eye = new Caller("eye.js");  // of all engines: it knows the film

/** What paints: workers with the same graph, each with a frame of its own, and what is known of them. */
export class Engine {
  #first = new Caller("worker.js");
  #free = [this.#first];
  #closed = false;

  /** How many paintings there may be at once. */
  room = 1;

  constructor(way) { Object.assign(this, way); }

  /** Has the first painter do one of its jobs. */
  call(job, values, transfer) { return this.#first.call(job, values, transfer); }

  /** Gives a painter the graph. */
  async load(painter = this.#first) {
    const { provider, threads, multiple, paints, artifact } = this, model = await fetchModel(artifact);
    await painter.call("load", { model, provider, threads, multiple, paints }, [model]);
  }

  /** Has more painters join. One that cannot is done without. */
  async grow() {
    while (this.room < this.painters && !this.#closed) {
      const painter = new Caller("worker.js");
      await this.load(painter).catch(() => { this.painters = this.room; });
      if (this.#closed || this.room === this.painters) { painter.close(); return; }
      this.#free.push(painter);
      this.room++;
    }
  }

  /** Paints a frame, which is `larger` or not, at a size; of a film, which has a number, frames have to come in their order. */
  async paint({ frame: taken, width, height, film, larger }) {
    const known = this.paints ? film : undefined;
    const { frame, pixels, kept = pixels } = await eye.call("look", { frame: taken, width, height, film: known }, [taken]);
    const painter = this.#free.pop(), values = { pixels: kept, small: larger ? pixels : null, width, height };
    try {
      return { frame, ...await painter.call("paint", values, [kept.buffer]) };
    } finally {
      this.#free.push(painter);
    }
  }

  close() {
    this.#closed = true;
    for (const painter of [this.#first, ...this.#free]) painter.close();
  }

  /** How long it paints at one pixel, foreseen; 0 before it was timed. */
  get msPerPixel() { return (this.ms ?? 0) / (SIZE.width * SIZE.height) / this.painters; }
}

/**
 * Chooses the quickest engine that paints right here. What was chosen is remembered for the same site and browser.
 * @param {object} manifest Of the bundle.
 * @param {(text: string) => void} say Told what is being done.
 * @param {(engine: Engine) => void} use Given the first that paints right, then each that is better, in its stead.
 */
export async function chooseEngine(manifest, say, use) {
  const possible = await ways(manifest), site = `${manifest.created} ${navigator.userAgent} ${crossOriginIsolated}`;
  const known = JSON.parse(localStorage.getItem(KEPT) ?? "{}");
  const again = possible.find(way =>
    known.site === site && known.provider === way.provider && known.sha256 === way.artifact.sha256);
  if (again) {
    say(`getting ready: ${label(again)} …`);
    const engine = new Engine({ ...again, ms: known.ms });
    try {
      await prepare(engine);
      use(engine);
      return;
    } catch {  // then all are tried
      engine.close();
      forgetEngine();
    }
  }
  const best = await quickest(possible, say, use);
  localStorage.setItem(KEPT, JSON.stringify({ site, provider: best.provider, sha256: best.artifact.sha256, ms: best.ms }));
}

async function quickest(possible, say, use) {
  let best;
  const wrong = [];
  for (const way of possible) {
    const engine = new Engine(way);
    say(`getting ready: ${label(way)} …`);
    try {
      await prepare(engine);
      if (!best) use(engine);
      say(`measuring ${label(way)} …`);
      engine.ms = await engine.call("time", { ...SIZE, most: best?.ms ?? Infinity });
    } catch (error) {
      engine.close();
      if (error instanceof Problem) throw error;
      wrong.push(`${label(way)}: ${error.message}`);
      continue;
    }
    // Of two that are as quick as each other the one that paints nearer to PyTorch is better.
    const worth = best ? (engine.psnr > best.psnr ? SAME : 1 / SAME) * best.ms : Infinity;
    if (engine.ms < worth) {
      if (best) use(engine);
      best?.close();
      best = engine;
    } else engine.close();
  }
  if (!best) throw new Problem("engine", wrong.join("; "));
  return best;
}

/** Says what paints, and where. */
export function label({ artifact, provider, threads, painters }) {
  const all = threads * painters, where = provider === "webgpu" ? "WebGPU" : `WASM, ${all} ${all === 1 ? "thread" : "threads"}`;
  return `${artifact.precision.toUpperCase()} on ${where}`;
}

/** Has the next visit choose again. */
export function forgetEngine() { localStorage.removeItem(KEPT); }

async function ways(manifest) {
  if (!WebAssembly.validate(SIMD)) throw new Problem("browser");  // onnxruntime-web drives WebGPU from WASM, too
  const artifacts = Object.fromEntries(manifest.artifacts.filter(one => one.target === "web").map(one => [one.precision, one]));
  const told = { multiple: manifest.frame.multiple_of, paints: manifest.strokes }, found = [];
  // More than four threads wait for the slow cores that phones have beside their quick ones. Two painters with a frame each are
  // quicker than one with all threads, which wait for each other at each of some hundred small steps.
  const cores = Math.min(4, navigator.hardwareConcurrency), painters = Math.min(2, cores);
  const threads = crossOriginIsolated ? Math.floor(cores / painters) : 1;
  for (const precision of ["int8", "fp32"])  // which is quicker differs
    if (artifacts[precision]) found.push({ ...told, provider: "wasm", artifact: artifacts[precision], threads, painters });
  const adapter = await navigator.gpu?.requestAdapter().catch(() => null);
  const half = adapter?.features.has("shader-f16") && artifacts.fp16, artifact = half || artifacts.fp32;
  if (adapter && artifact) found.push({ ...told, provider: "webgpu", artifact, threads: 1, painters: 1 });
  if (!found.length) throw new Problem("precision");
  return found;
}

/** Loads the model and has it paint the photograph whose painting is known. */
async function prepare(engine) {
  await engine.load();
  engine.psnr = await engine.call("check", { picture: new URL("../check.png", import.meta.url).href });
  const { artifact, paints } = engine;
  // The rule of `pleinair verify`: an error that is visible and more than twice what the manifest says.
  const least = Math.min((paints ? artifact.drift.quarter_db : artifact.drift.psnr_db) - 6, 50);
  if (!(engine.psnr >= least))
    throw new Error(`it paints wrongly here, ${engine.psnr.toFixed(1)} dB from PyTorch where ${least.toFixed(1)} are due`);
}

async function fetchModel({ path, sha256 }) {
  const answer = await fetch(new URL(`../${path}`, import.meta.url)).catch(() => null);
  if (!answer?.ok) throw new Problem("model", `${path}${answer ? ` (${answer.status})` : ""}`);
  const model = await answer.arrayBuffer();
  if (!isSecureContext) return model;  // where browsers give no digest
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", model));
  if (Array.from(digest, byte => byte.toString(16).padStart(2, "0")).join("") !== sha256)
    throw new Problem("damaged", path);
  return model;
}
