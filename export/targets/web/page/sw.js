// Makes the page work offline after the first visit, and gives it threads on hosts that send no headers.
importScripts("files.js");  // VERSION and FILES: a browser installs this worker again when they change

const CACHE = `pleinair ${registration.scope} ${VERSION}`;

self.addEventListener("install", event => {
  event.waitUntil(caches.open(CACHE)
    .then(cache => cache.addAll(FILES.map(name => new Request(name, { cache: "reload" }))))
    .then(() => skipWaiting()));
});

self.addEventListener("activate", event => {
  const ours = name => name.startsWith(`pleinair ${registration.scope} `) && name !== CACHE;
  event.waitUntil(caches.keys()
    .then(names => Promise.all(names.filter(ours).map(name => caches.delete(name))))
    .then(() => clients.claim()));
});

self.addEventListener("fetch", event => {
  const { method, url } = event.request;
  if (method === "GET" && url.startsWith(registration.scope)) event.respondWith(answer(event.request));
});

async function answer(request) {
  const cache = await caches.open(CACHE);
  const name = request.url === registration.scope ? `${registration.scope}index.html` : request;
  const found = await cache.match(name, { ignoreSearch: true });
  if (found) return isolated(found);
  const fetched = await fetch(request);
  // What a browser uses of onnxruntime-web is large, and kept when it is first used.
  if (fetched.status === 200 && new URL(request.url).pathname.includes("/ort/")) await cache.put(request, fetched.clone());
  return isolated(fetched);
}

// SharedArrayBuffer, hence threads, is only for pages that are isolated from others.
function isolated(response) {
  const headers = new Headers(response.headers);
  headers.set("Cross-Origin-Opener-Policy", "same-origin");
  headers.set("Cross-Origin-Embedder-Policy", "require-corp");
  headers.set("Cross-Origin-Resource-Policy", "same-origin");
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers });
}
