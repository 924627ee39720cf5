// What can go wrong, in sentences that say what to do.

/** Something that the page explains; `detail` is the part that differs. */
export class Problem extends Error {
  constructor(kind, detail = "") {
    super(SENTENCES[kind](detail));
    this.kind = kind;
  }
}

const SENTENCES = {
  insecure: () => "Browsers give cameras only to pages from https:// or from this very device. On a phone, start "
    + "“pleinair serve --https” and open the https address that it prints; pictures and videos can be painted here all the same.",
  denied: () => "This page may not use the camera. Allow it in the browser's settings for this site (behind the sign left of "
    + "the address), and in the system's privacy settings, then press “camera” again.",
  none: () => "No camera was found. Connect one and press “camera” again, or open a picture or a video.",
  taken: () => "The camera cannot be read; another program or tab may be using it. Close that and press “camera” again.",
  lost: () => "The camera went away. It is painted again as soon as it is back; or press “camera”.",
  camera: detail => `The camera cannot be opened (${detail}). Press “camera” to try again, or open a picture or a video.`,
  unreadable: detail => `${detail} cannot be read by this browser: it is damaged, or of a format that is not known here. `
    + "Try JPEG, PNG, WebP, MP4 or WebM.",
  huge: detail => `${detail}, more than a browser can be trusted with. Make it smaller, or paint it with “pleinair translate”, `
    + "which takes any size.",
  manifest: detail => `The site is not whole: ${detail}. Export it again, and copy the whole folder to the host.`,
  model: detail => `The model is missing from this site: ${detail}. Export it again, and copy the whole folder to the host.`,
  damaged: detail => `The model ${detail} is not the one that the manifest names: it was changed or damaged. Export the site `
    + "again, and copy the whole folder to the host; then reload this page.",
  precision: () => "This site has no model for this browser: FP16 is for WebGPU with half precision, FP32 and INT8 are for all "
    + "others. Export it again with all of them.",
  browser: () => "This browser cannot run WebAssembly SIMD, which painting needs, on WebGPU too. Update it: Chrome or Edge 105, "
    + "Firefox 114, Safari 16.4 or later will do.",
  engine: detail => `Nothing can paint here. ${detail}. Reload the page, or try another browser.`,
  painting: detail => `Painting failed: ${detail}. Reload the page; if a picture was too large, make it smaller.`,
  recording: () => "This browser cannot record a canvas. Snapshots work; or record with “pleinair live”.",
};

/** What a browser says when it gives no camera, as one of ours. */
export function cameraProblem(error) {
  if (error instanceof Problem) return error;
  const kinds = { NotAllowedError: "denied", SecurityError: "denied", NotFoundError: "none", OverconstrainedError: "none",
    NotReadableError: "taken", AbortError: "taken" };
  return new Problem(kinds[error.name] ?? "camera", `${error.name}: ${error.message}`);
}
