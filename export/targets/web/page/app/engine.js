// Chooses what paints on this device: each way that it has is checked against PyTorch and timed; the quickest stays.
import { Problem } from "./problems.js";

const KEPT = "pleinair engine";
const SIZE = { width: 640, height: 360 };  // that is timed
const SAME = 1.05;  // times that differ by less are equal
// A module with one SIMD instruction, i8x16.popcnt.
const SIMD = Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11);

/** What paints: a worker, and what is known of it. */
export class Engine {
  #calls = new Map();
  #last = 0;
  #worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });

  constructor(way) {
    Object.assign(this, way);
    this.#worker.addEventListener("message", ({ data: { id, result, error } }) => {
      const { resolve, reject } = this.#calls.get(id);
      this.#calls.delete(id);
      if (error === undefined) resolve(result); else reject(new Error(error));
    });
    this.#worker.addEventListener("error", event => {
      for (const { reject } of this.#calls.values()) reject(new Error(event.message || "its worker cannot start"));
      this.#calls.clear();
    });
  }

  /** Has the worker do one of its jobs. */
  call(job, values = {}, transfer = []) {
    const id = ++this.#last;
    return new Promise((resolve, reject) => {
      this.#calls.set(id, { resolve, reject });
      this.#worker.postMessage({ id, job, ...values }, transfer);
    });
  }

  close() { this.#worker.terminate(); }

  /** How long it paints at one pixel, foreseen. */
  get msPerPixel() { return this.ms / (SIZE.width * SIZE.height); }
}

/**
 * Returns the quickest engine that paints right here. What was chosen is remembered for the same site and browser.
 * @param {object} manifest Of the bundle.
 * @param {(text: string) => void} say Told what is being done.
 */
export async function chooseEngine(manifest, say) {
  const possible = await ways(manifest), site = `${manifest.created} ${navigator.userAgent} ${crossOriginIsolated}`;
  const known = JSON.parse(localStorage.getItem(KEPT) ?? "{}");
  const again = possible.find(way =>
    known.site === site && known.provider === way.provider && known.sha256 === way.artifact.sha256);
  if (again) {
    say(`getting ready: ${label(again)} …`);
    const engine = new Engine({ ...again, ms: known.ms });
    try {
      await prepare(engine, manifest);
      return engine;
    } catch {  // then all are tried
      engine.close();
      forgetEngine();
    }
  }
  const best = await quickest(possible, manifest, say);
  localStorage.setItem(KEPT, JSON.stringify({ site, provider: best.provider, sha256: best.artifact.sha256, ms: best.ms }));
  return best;
}

async function quickest(possible, manifest, say) {
  let best;
  const wrong = [];
  for (const way of possible) {
    const engine = new Engine(way);
    say(`getting ready: ${label(way)} …`);
    try {
      await prepare(engine, manifest);
      engine.ms = await engine.call("time", { ...SIZE, most: best?.ms ?? Infinity });
    } catch (error) {
      engine.close();
      if (error instanceof Problem) throw error;
      wrong.push(`${label(way)}: ${error.message}`);
      continue;
    }
    // Of two that are as quick as each other the one that paints nearer to PyTorch is better.
    const worth = best ? (engine.psnr > best.psnr ? SAME : 1 / SAME) * best.ms : Infinity;
    if (engine.ms < worth) { best?.close(); best = engine; }
    else engine.close();
  }
  if (!best) throw new Problem("engine", wrong.join("; "));
  return best;
}

/** Says what paints, and where. */
export function label({ artifact, provider, threads }) {
  const where = provider === "webgpu" ? "WebGPU" : `WASM, ${threads} ${threads === 1 ? "thread" : "threads"}`;
  return `${artifact.precision.toUpperCase()} on ${where}`;
}

/** Has the next visit choose again. */
export function forgetEngine() { localStorage.removeItem(KEPT); }

async function ways(manifest) {
  if (!WebAssembly.validate(SIMD)) throw new Problem("browser");  // onnxruntime-web drives WebGPU from WASM, too
  const artifacts = Object.fromEntries(manifest.artifacts.filter(one => one.target === "web").map(one => [one.precision, one]));
  // More than four threads wait for the slow cores that phones have beside their quick ones.
  const threads = crossOriginIsolated ? Math.min(4, navigator.hardwareConcurrency) : 1;
  const found = [];
  for (const precision of ["int8", "fp32"])  // which is quicker differs
    if (artifacts[precision]) found.push({ provider: "wasm", artifact: artifacts[precision], threads });
  const adapter = await navigator.gpu?.requestAdapter().catch(() => null);
  const half = adapter?.features.has("shader-f16") && artifacts.fp16, artifact = half || artifacts.fp32;
  if (adapter && artifact) found.push({ provider: "webgpu", artifact, threads: 1 });
  if (!found.length) throw new Problem("precision");
  return found;
}

/** Loads the model and has it paint the photograph whose painting is known. */
async function prepare(engine, manifest) {
  const { provider, threads, artifact } = engine, { frame, strokes } = manifest, model = await fetchModel(artifact);
  await engine.call("load", { model, provider, threads, multiple: frame.multiple_of, paints: strokes }, [model]);
  engine.psnr = await engine.call("check", { picture: new URL("../check.png", import.meta.url).href });
  // The rule of `pleinair verify`: an error that is visible and more than twice what the manifest says.
  const least = Math.min((strokes ? artifact.drift.quarter_db : artifact.drift.psnr_db) - 6, 50);
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
