// The service worker: the page without a network, and threads on hosts that send no headers.

const PATIENCE = 8000;  // ms for the first visit's files, before painting begins without it

/** Installs it; on a host that does not isolate pages the first visit is loaded twice. Where there is none, all else works. */
export async function goOffline(busy) {
  const worker = navigator.serviceWorker;
  if (!worker) return;
  const first = !worker.controller;
  const controlled = new Promise(resolve => worker.addEventListener("controllerchange", resolve, { once: true }));
  try {
    await worker.register("sw.js", { updateViaCache: "none" });
  } catch {
    return;  // as with a certificate that no authority signed
  }
  if (first) await Promise.race([controlled, new Promise(resolve => setTimeout(resolve, PATIENCE))]);
  else controlled.then(() => busy() || location.reload());  // the site was exported anew
  if (worker.controller && !crossOriginIsolated && !sessionStorage.getItem("isolated")) {
    sessionStorage.setItem("isolated", "tried");
    location.reload();
    await new Promise(() => {});  // nothing more until then
  }
}
