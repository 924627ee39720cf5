// Chooses what paints on this device: each way that it has is checked against PyTorch and timed; the quickest stays.
import { Problem } from "./problems.js";

const KEPT = "pleinair engine";
const SIZE = { width: 640, height: 360 };  // that is timed
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

  get label() {
    const threads = this.provider === "wasm" ? `, ${this.threads} ${this.threads === 1 ? "thread" : "threads"}` : "";
    return `${this.artifact.precision.toUpperCase()} on ${this.provider === "wasm" ? "WASM" : "WebGPU"}${threads}`;
  }
}

/**
 * Returns the quickest engine that paints right here. What was chosen is remembered for the same site and browser.
 * @param {object} manifest Of the bundle.
 * @param {(text: string) => void} say Told what is being done.
 */
export async function chooseEngine(manifest, say) {
  const possible = await ways(manifest);
  const site = `${manifest.created} ${navigator.userAgent}`;
  const known = JSON.parse(localStorage.getItem(KEPT) ?? "null");
  const again = known?.site === site ? possible.filter(way => way.provider === known.provider) : [];
  let best, wrong = [];
  for (const way of again.length ? again : possible) {
    const engine = new Engine(way);
    say(`getting ready: ${engine.label} …`);
    try {
      await prepare(engine, manifest, best?.ms ?? Infinity);
    } catch (error) {
      engine.close();
      if (error instanceof Problem) throw error;
      wrong.push(`${engine.label}: ${error.message}`);
      continue;
    }
    if (best && best.ms <= engine.ms) engine.close();
    else { best?.close(); best = engine; }
  }
  if (!best && again.length) { forgetEngine(); return chooseEngine(manifest, say); }
  if (!best) throw new Problem("engine", wrong.join("; "));
  localStorage.setItem(KEPT, JSON.stringify({ site, provider: best.provider }));
  return best;
}

/** Has the next visit choose again. */
export function forgetEngine() { localStorage.removeItem(KEPT); }

async function ways(manifest) {
  const artifact = precision => manifest.artifacts.find(a => a.target === "web" && a.precision === precision);
  const found = [], simd = WebAssembly.validate(SIMD), half = await hasHalfPrecision();
  if (artifact("int8") && simd) {
    // More than four threads wait for the slow cores that phones have beside their quick ones.
    const threads = crossOriginIsolated ? Math.min(4, navigator.hardwareConcurrency) : 1;
    found.push({ provider: "wasm", artifact: artifact("int8"), threads });
  }
  if (artifact("fp16") && half) found.push({ provider: "webgpu", artifact: artifact("fp16"), threads: 1 });
  if (!found.length) throw new Problem(simd || half ? "precision" : "browser");
  return found;
}

async function hasHalfPrecision() {
  const adapter = await navigator.gpu?.requestAdapter().catch(() => null);
  return Boolean(adapter?.features.has("shader-f16"));
}

async function prepare(engine, manifest, most) {
  const model = await fetchModel(engine.artifact);
  const { provider, threads } = engine;
  await engine.call("load", { model, provider, threads, multiple: manifest.frame.multiple_of }, [model]);
  engine.psnr = await engine.call("check", { picture: new URL("../check.png", import.meta.url).href });
  // The rule of `pleinair verify`: an error that is visible and more than twice what the manifest says.
  const least = Math.min(engine.artifact.drift.psnr_db - 6, 50);
  if (!(engine.psnr >= least))
    throw new Error(`it paints wrongly here, ${engine.psnr.toFixed(1)} dB from PyTorch where ${least.toFixed(1)} are due`);
  engine.ms = await engine.call("time", { ...SIZE, count: 5, most: 2 * most });
  engine.msPerPixel = engine.ms / (SIZE.width * SIZE.height);
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
