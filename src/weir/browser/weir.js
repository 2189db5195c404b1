// weir.js: events from web pages to a Weir node. No cookies, no dependencies.
//
//   <script async src="https://NODE/weir.js" data-key="pk_live_…" data-auto></script>
//   <script>window.weir = window.weir || []; weir.push(["track", "signup", { plan: "pro" }])</script>
//
// Attributes: data-key (required), data-url (default: where the script came from), data-auto (page
// views by itself, also when the address changes without a load), data-memory (nothing is kept in
// the browser: every load is a new visitor), data-debug (tells the console what it does).
//
// Every event has an id and is kept in localStorage until the node has it on disk, so it arrives
// once: after retries, offline times, closed tabs and crashes.
(() => {
  "use strict";
  const script = document.currentScript;
  const settings = script.dataset;
  const endpoint =
    (settings.url || new URL(script.src).origin).replace(/\/$/, "") +
    "/v1/events?api_key=" + encodeURIComponent(settings.key);
  const MINUTE = 60e3, HOUR = 60 * MINUTE;
  const SESSION_MS = 30 * MINUTE;
  const BATCH = 50; // events of one request
  const BEACON_CHARS = 20e3; // browsers refuse beacons above 64 KiB in all
  const KEPT = 1000; // events that wait; the oldest go first
  const KEPT_MS = 7 * 24 * HOUR;
  const SENT_MS = 23 * HOUR; // the node knows a repeated id for 24 hours
  const OTHER_TAB_MS = 2 * MINUTE; // after that an unattended queue is taken over
  const PREFIX = "weir.queue.";

  const log = (...words) => "debug" in settings && console.log("weir:", ...words);

  // What the browser keeps; private windows and full disks refuse, and then it is memory alone.
  const store = {
    memory: {},
    get(name) {
      if ("memory" in settings) return this.memory[name];
      try { return JSON.parse(localStorage.getItem(name)) || this.memory[name]; }
      catch { return this.memory[name]; }
    },
    set(name, value) {
      this.memory[name] = value;
      if ("memory" in settings) return;
      try { localStorage.setItem(name, JSON.stringify(value)); } catch {}
    },
    names() {
      if ("memory" in settings) return [];
      try { return Object.keys(localStorage); } catch { return []; }
    },
    remove(name) {
      delete this.memory[name];
      try { localStorage.removeItem(name); } catch {}
    },
  };

  const newId = () =>
    [...crypto.getRandomValues(new Uint8Array(16))]
      .map((byte) => byte.toString(16).padStart(2, "0")).join("");

  const tab = PREFIX + newId();
  let queue = []; // [event, made at, beaconed at or 0]
  let busy = false, failures = 0, timer = 0, stopped = false;

  const save = () => {
    if (queue.length) store.set(tab, { seen: Date.now(), queue });
    else store.remove(tab);
  };

  // A tab holds a lock with its name while it lives. Without locks (http) the time tells.
  let release = () => {};
  const hold = () => navigator.locks?.request(tab, () => new Promise((done) => (release = done)));

  // Queues of tabs that are gone: a closed one, a crashed one, the last page of this one.
  const adopt = async () => {
    let held;
    try { held = (await navigator.locks.query()).held.map((lock) => lock.name); } catch {}
    const now = Date.now();
    for (const name of store.names()) {
      if (!name.startsWith(PREFIX) || name === tab) continue;
      const other = store.get(name);
      const lives = held ? held.includes(name) : !other?.left && now - other?.seen < OTHER_TAB_MS;
      if (lives) continue;
      store.remove(name);
      if (other) queue = other.queue.concat(queue);
    }
    queue = queue.filter(([, made, sent]) => (sent ? now - sent < SENT_MS : now - made < KEPT_MS));
    save();
    plan(0);
  };

  const visitor = () => {
    let known = store.get("weir.visitor");
    if (!known) store.set("weir.visitor", (known = { anonymous: newId() }));
    return known;
  };

  const session = () => {
    const now = Date.now();
    let known = store.get("weir.session");
    if (!known || now - known.at > SESSION_MS) known = { id: newId() };
    known.at = now;
    store.set("weir.session", known);
    return known.id;
  };

  const context = () => ({
    page: {
      url: location.href, path: location.pathname, search: location.search,
      title: document.title, referrer: document.referrer,
    },
    screen: { width: screen.width, height: screen.height },
    locale: navigator.language,
    timezone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    library: { name: "weir.js", version: "1" },
  });

  // Opted out, perhaps in another tab, perhaps while this one's events waited.
  const isOut = () => {
    if (!store.get("weir.out")) return false;
    queue = [];
    save();
    return true;
  };

  const track = (event, properties) => {
    if (isOut()) return;
    const { anonymous, user } = visitor();
    queue.push([{
      event: String(event), event_id: newId(), ts: new Date().toISOString(),
      anonymous_id: anonymous, session_id: session(), user_id: user,
      properties: properties || {}, context: context(),
    }, Date.now(), 0]);
    queue.splice(0, queue.length - KEPT);
    save();
    plan(500);
  };

  const plan = (delay) => {
    if (!timer && !stopped) timer = setTimeout(() => { timer = 0; send(); }, delay);
  };

  const body = (some) =>
    JSON.stringify({ events: some.map(([event]) => event), sent_at: new Date().toISOString() });

  // text/plain needs no preflight.
  const post = (text) =>
    fetch(endpoint, {
      method: "POST", body: text, credentials: "omit", keepalive: text.length < BEACON_CHARS,
      headers: { "Content-Type": "text/plain" },
    });

  const forget = (some) => {
    const gone = new Set(some);
    queue = queue.filter((each) => !gone.has(each));
    save();
  };

  let size = BATCH;
  const send = async () => {
    if (busy || stopped || isOut() || !queue.length || navigator.onLine === false) return;
    busy = true;
    const some = queue.slice(0, size);
    let wait = 0;
    try {
      const answer = await post(body(some));
      if (answer.status === 413 && some.length > 1) {
        size = some.length >> 1;
      } else if (answer.status === 401 || answer.status === 403) {
        stopped = true; // the events stay: the key may be mended
        console.warn("weir: the node does not take this key");
      } else if (answer.status === 408 || answer.status === 429 || answer.status >= 500) {
        wait = 1e3 * answer.headers.get("Retry-After") || 1;
      } else {
        if (answer.status >= 400) console.warn("weir: refused", await answer.text());
        log("sent", some.length);
        forget(some);
        size = BATCH;
        failures = 0;
      }
    } catch {
      wait = 1;
    }
    busy = false;
    if (wait) {
      failures++;
      plan(Math.max(wait, Math.random() * Math.min(5 * MINUTE, 500 * 2 ** failures)));
    } else if (queue.length) plan(0);
  };

  // The page goes. What the browser takes is kept until the next page too: nobody tells whether it
  // arrived, and the node stores an id once.
  const leave = () => {
    if (stopped || isOut()) return;
    let start = 0;
    const rest = queue.filter((each) => !each[2]);
    while (start < rest.length) {
      let end = start + 1;
      while (end < rest.length && body(rest.slice(start, end + 1)).length < BEACON_CHARS) end++;
      const some = rest.slice(start, end);
      if (!navigator.sendBeacon(endpoint, body(some))) break;
      for (const each of some) each[2] = Date.now();
      start = end;
    }
    if (queue.length) store.set(tab, { seen: Date.now(), left: true, queue });
  };
  const back = () => {
    save();
    plan(0);
  };

  let last = "";
  const view = () => {
    if (location.href === last) return;
    last = location.href;
    api.page();
  };

  const api = {
    track,
    page: (name, properties) => track("page_view", { ...(name && { name }), ...properties }),
    identify(user, traits) {
      store.set("weir.visitor", { ...visitor(), user: String(user) });
      track("identify", traits && { traits });
    },
    reset() { // after a logout: the next event is another visitor's
      store.remove("weir.visitor");
      store.remove("weir.session");
    },
    optOut() { store.set("weir.out", 1); isOut(); },
    optIn() { store.remove("weir.out"); },
    flush: () => send(),
    push: ([method, ...words]) => api[method](...words),
  };

  if (!settings.key) return console.warn("weir: data-key is missing");
  const early = window.weir;
  window.weir = api;
  hold();
  addEventListener("online", () => plan(0));
  addEventListener("pagehide", () => {
    leave();
    release(); // a page with a lock could not be kept for the back button
  });
  addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    hold();
    back();
  });
  document.addEventListener("visibilitychange", () =>
    document.visibilityState === "hidden" ? leave() : back());
  setInterval(() => queue.length && document.visibilityState !== "hidden" && save(), MINUTE);
  if (Array.isArray(early)) early.forEach(api.push);
  if ("auto" in settings) {
    for (const name of ["pushState", "replaceState"]) {
      const original = history[name];
      history[name] = function (...words) {
        original.apply(this, words);
        view();
      };
    }
    addEventListener("popstate", view);
    view();
  }
  adopt();
})();
