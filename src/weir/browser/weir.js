// weir.js: events from web pages to a Weir node. No cookies, no dependencies.
//
//   <script async src="https://NODE/weir.js" data-key="pk_live_…" data-auto></script>
//   <script>window.weir = window.weir || []; weir.push(["track", "signup", { plan: "pro" }])</script>
//
// The tag may be plain, async, defer, type="module" or made by a loader. The node leaves comments
// and indentation out of what it serves. Attributes and calls: docs/guide/web-pages.md. Every event has an id and is kept in localStorage
// until the node has it on disk, so it arrives once.
(() => {
  "use strict";
  const warn = (...words) => console.warn("weir:", ...words);
  const early = window.weir;
  if (early?.track) return warn("the script is on this page twice");
  // A module, and what a loader runs by itself, has no current script, or another one.
  const own = document.currentScript;
  const script = own?.dataset.key ? own
    : document.querySelector('script[data-key][src*="weir.js"]') || own;
  const settings = script?.dataset || {};
  const node = settings.url || (script?.src && new URL(script.src).origin);
  if (!settings.key || !node) return warn("nothing is recorded: there is no script tag with " +
    "data-key and weir.js in its src (or with data-key and data-url, if it is no module)");
  const endpoint =
    node.replace(/\/$/, "") + "/v1/events?api_key=" + encodeURIComponent(settings.key);
  const MINUTE = 60e3, HOUR = 60 * MINUTE, DAY = 24 * HOUR;
  const SESSION_MS = 30 * MINUTE;
  const BATCH = 50; // events of one request
  const BATCH_CHARS = 500e3;
  const BEACON_CHARS = 20e3; // browsers refuse beacons above 64 KiB in all
  const EVENT_CHARS = 1e6; // the node takes no more
  const DEPTH = 60; // the node takes a little more
  const KEPT = 1000; // events that wait; the oldest go first
  const KEPT_CHARS = 2e6; // of them all: under half of what a site has
  const KEPT_MS = 7 * DAY;
  const SENT_MS = 23 * HOUR; // the node knows a repeated id for 24 hours
  const BACKOFF_MS = 5 * MINUTE; // at most, unless the node asks for more; that in such steps
  const ASKED_MS = 32 * DAY; // a month's quota comes back sooner
  const ANSWER_MS = 2 * MINUTE;
  const OTHER_TAB_MS = 2 * MINUTE; // after that an unattended queue is taken over
  const PREFIX = "weir.queue.";

  const log = (...words) => "debug" in settings && console.log("weir:", ...words);

  // JSON of plain values and, by rules, of others. JSON.stringify would ask a toJSON that some library
  // put on arrays, dates or every object; of texts it asks none. What has no JSON is told by odd.
  const kindOf = (value) => Object.prototype.toString.call(value).slice(8, -1);
  const write = (value, odd, at = "", depth = 0) => {
    const none = (what) => (odd?.(at, what), "null");
    if (depth > DEPTH) throw new RangeError(at.slice(0, 60) + "… is nested too deeply, or in itself");
    const list = (some) => "[" + [...some].map((each, n) => inner(each, n)).join() + "]";
    const inner = (each, name) => write(each, odd, at ? at + "." + name : "" + name, depth + 1);
    if (value === null) return "null";
    if (typeof value === "string") return JSON.stringify(value);
    if (typeof value === "number") return value - value === 0 ? "" + value : none(value);
    if (typeof value === "boolean" || typeof value === "bigint") return "" + value;
    if (typeof value !== "object") return value === undefined ? "null" : none(typeof value);
    const kind = kindOf(value);
    if (kind === "Date") return isNaN(value) ? none("no date") : JSON.stringify(value.toISOString());
    if (/^(String|Number|Boolean|BigInt)$/.test(kind)) return write(value.valueOf(), odd, at, depth);
    if (kind === "Array" || kind === "Set" || /\d(Clamped)?Array$/.test(kind)) return list(value);
    const { toJSON } = value;
    if (typeof toJSON === "function" && toJSON !== Object.prototype.toJSON) {
      return write(toJSON.call(value), odd, at, depth + 1);
    }
    if (/^(Error|DOMException|RegExp|URLSearchParams|Symbol)$/.test(kind)) {
      return JSON.stringify(String(value));
    }
    const pairs = kind === "Map" ? [...value] : Object.entries(value);
    if (!pairs.length && kind !== "Map" && kind !== "Object") return none(kind);
    return "{" + pairs
      .filter(([, each]) => each !== undefined)
      .map(([name, each]) => JSON.stringify(String(name)) + ":" + inner(each, String(name)))
      .join() + "}";
  };

  // What the browser keeps; private windows and full disks refuse, and then it is memory alone.
  const memory = new Map();
  const store = {
    get(name) {
      if (memory.has(name) || "memory" in settings) return memory.get(name);
      try { return JSON.parse(localStorage.getItem(name)); } catch {}
    },
    set(name, value) {
      memory.set(name, value);
      if ("memory" in settings) return;
      try {
        localStorage.setItem(name, write(value));
        memory.delete(name); // another tab may change it
      } catch {}
    },
    names() {
      try { return "memory" in settings ? [] : Object.keys(localStorage); } catch { return []; }
    },
    remove(name) {
      memory.delete(name);
      try { localStorage.removeItem(name); } catch {}
    },
  };

  const newId = () =>
    [...crypto.getRandomValues(new Uint8Array(16))]
      .map((byte) => byte.toString(16).padStart(2, "0")).join("");

  const tab = PREFIX + newId();
  let queue = []; // [event as JSON, made at, beaconed at or 0]
  let busy = false, failures = 0, timer = 0, size = BATCH;
  let due = 0, asked = 0; // no request before, by our choice and the node's; performance.now()

  // What is too old or too much goes; then it is written down.
  const save = (left) => {
    const now = Date.now();
    const had = queue.length;
    let chars = 0;
    queue = queue.slice(-KEPT).reverse().filter(([text, made, sent]) =>
      (sent ? now - sent < SENT_MS : now - made < KEPT_MS) && (chars += text.length) <= KEPT_CHARS);
    queue.reverse();
    if (queue.length < had) warn("too old or too many, no longer kept:", had - queue.length);
    if (queue.length) store.set(tab, { seen: now, left, queue });
    else store.remove(tab);
  };

  // A tab holds a lock with its name while it lives. Without locks (http) the time tells.
  let release = () => {};
  const hold = () =>
    navigator.locks?.request(tab, () => new Promise((done) => (release = done))).catch(() => {});

  // Other scripts write there too, and one bad entry would spoil its whole request.
  const isEntry = (entry) => {
    try {
      const [text, made, sent] = entry;
      return typeof JSON.parse(text).event_id === "string" && made >= 0 && sent >= 0;
    } catch { return false; }
  };

  // Queues of tabs that are gone: a closed one, a crashed one, the last page of this one.
  const adopt = async () => {
    let held;
    try { held = (await navigator.locks.query()).held.map((lock) => lock.name); } catch {}
    for (const name of store.names()) {
      if (!name.startsWith(PREFIX) || name === tab) continue;
      const other = store.get(name);
      const lives = held
        ? held.includes(name)
        : !other?.left && Math.abs(Date.now() - other?.seen) < OTHER_TAB_MS;
      if (lives) continue;
      const all = Array.isArray(other?.queue) ? other.queue : [0];
      const good = all.filter(isEntry);
      const rest = all.filter((each) => !isEntry(each));
      if (!rest.length) store.remove(name);
      else {
        warn("cannot read all that is kept as", name); // and does not remove that
        if (good.length) store.set(name, { ...other, queue: rest });
      }
      queue = good.concat(queue);
    }
    save();
    plan(0);
  };

  const isText = (value) => typeof value === "string";

  const visitor = () => {
    const { anonymous, user } = store.get("weir.visitor") || {};
    const known = { anonymous: isText(anonymous) ? anonymous : newId() };
    if (isText(user)) known.user = user;
    if (anonymous !== known.anonymous) store.set("weir.visitor", known);
    return known;
  };

  const session = () => {
    const now = Date.now();
    let { id, at } = store.get("weir.session") || {};
    if (!isText(id) || !(Math.abs(now - at) < SESSION_MS)) id = newId();
    store.set("weir.session", { id, at: now });
    return id;
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

  // The node refuses NUL and half an emoji, which JSON writes as escapes. Each escape is matched, so
  // that none begins with another's backslash.
  const encode = (event, odd) =>
    write(event, odd).replace(/\\(u0000|ud[89a-f]..|.)/g, (all, code) =>
      code.length > 1 ? "\ufffd" : all);

  const isName = (value) =>
    /^(string|number|bigint)$/.test(typeof value) && value === value && value !== "";
  const asObject = (value) => (kindOf(value) === "Map" ? Object.fromEntries(value) : value);

  // As JSON now and here: what JSON cannot say harms no other event.
  const track = (event, properties, name) => {
    if (isOut()) return;
    if (!isName(event)) return warn("track needs the name of an event, not", event);
    const odd = (at, what) => warn("the event", event, "has null for", at, "which is", what);
    try {
      const { anonymous, user } = visitor();
      const text = encode({
        event: String(event), event_id: newId(), ts: new Date().toISOString(),
        anonymous_id: anonymous, session_id: session(), user_id: user,
        properties: name ? { name, ...asObject(properties) } : properties || {}, context: context(),
      }, odd);
      if (text.length > EVENT_CHARS) throw new RangeError("too long");
      queue.push([text, Date.now(), 0]);
    } catch (error) {
      return warn("dropped the event", event, error);
    }
    save();
    plan(500);
  };

  const plan = (delay) => {
    const wait = Math.max(delay, due - performance.now(), asked - performance.now());
    timer ||= setTimeout(() => { timer = 0; send(); }, Math.min(wait, BACKOFF_MS));
  };

  const body = (some) =>
    `{"events":[${some.map(([text]) => text)}],"sent_at":"${new Date().toISOString()}"}`;

  // The first events of a list, as far as they fit; at least one.
  const cut = (list, count, chars) => {
    let end = 1;
    let sum = list[0][0].length;
    while (end < count && end < list.length && (sum += list[end][0].length) < chars) end++;
    return list.slice(0, end);
  };

  // text/plain needs no preflight.
  const post = (text) =>
    fetch(endpoint, {
      method: "POST", body: text, credentials: "omit", keepalive: text.length < BEACON_CHARS,
      headers: { "Content-Type": "text/plain" }, signal: AbortSignal.timeout?.(ANSWER_MS),
    });

  const forget = (some) => {
    queue = queue.filter((each) => !some.includes(each));
    save();
    failures = 0;
    size = Math.min(BATCH, 2 * size);
  };

  const nameOf = ([text]) => JSON.parse(text).event;

  // True when the node has spoken of these events, or when they go on in smaller parts. Others answer
  // between page and node: an event is given up only when the node means it.
  const settle = (some, status, { accepted, rejected, results, error, message }) => {
    if ((status === 202 || status === 400) && accepted + rejected === some.length) {
      for (const each of results) {
        warn("refused", nameOf(some[each.index]), each.field || "", each.message, each);
      }
      log("sent", accepted);
      forget(some);
      return true;
    }
    const isMeant = /^(invalid_request|batch_too_large|payload_too_large|validation\.)/.test(error);
    if (status === 413 || (status === 400 && isMeant)) {
      if (some.length > 1) return (size = some.length >> 1);
      if (isMeant) {
        warn("refused", nameOf(some[0]), message);
        forget(some);
        return true;
      }
      queue.sort((one, other) => (one === some[0]) - (other === some[0])); // others need not wait
    }
    warn("not sent yet: status", status, message || "");
    return false;
  };

  const send = async () => {
    if (busy || isOut()) return;
    clearTimeout(timer);
    timer = 0;
    save();
    if (!queue.length) return;
    if (performance.now() < Math.max(due, asked)) return plan(0);
    busy = true;
    const some = cut(queue, size, BATCH_CHARS);
    let settled = false, wait = 0;
    try {
      const answer = await post(body(some));
      const { status, headers } = answer;
      const after = headers.get("Retry-After");
      wait = 1e3 * after || Date.parse(after) - Date.now() || 0;
      const told = (await answer.json().catch(() => {})) || {};
      settled = settle(some, status, told);
      if (status === 401 || status === 403) failures = Math.max(failures, 9); // somebody has to act
      const most = status === 429 && headers.get("X-RateLimit-Limit");
      if (most && most < some.length) size = some.length >> 1; // it would never fit
    } catch (error) { log("no answer", error); }
    busy = false;
    if (!settled) {
      asked = performance.now() + Math.min(Math.max(wait, 0), ASKED_MS);
      due = asked + Math.random() * Math.min(BACKOFF_MS, 500 * 2 ** ++failures);
    }
    if (queue.length) plan(0);
  };

  const hurry = () => {
    due = 0;
    return send();
  };

  // The page goes. What the browser takes is kept until the next page too: nobody tells whether it
  // arrived, and the node stores an id once.
  const leave = () => {
    if (isOut()) return;
    let rest = failures || navigator.onLine === false ? [] : queue.filter((each) => !each[2]);
    while (rest.length) {
      const some = cut(rest, KEPT, BEACON_CHARS);
      rest = rest.slice(some.length);
      if (navigator.sendBeacon?.(endpoint, body(some))) for (const each of some) each[2] = Date.now();
    }
    save(true);
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
    track: (event, properties) => track(event, properties),
    page: (name, properties) => track("page", properties, name),
    identify(user, traits) {
      if (!isName(user)) return warn("identify needs a user, not", user);
      store.set("weir.visitor", { ...visitor(), user: String(user) });
      track("identify", traits);
    },
    reset() { // after a logout: the next event is another visitor's
      store.remove("weir.visitor");
      store.remove("weir.session");
    },
    optOut() { store.set("weir.out", 1); isOut(); },
    optIn() { store.remove("weir.out"); },
    flush: hurry,
    push(...calls) {
      for (const call of calls) {
        try {
          const [method, ...words] = call;
          api[method](...words);
        } catch (error) { warn("cannot do", call, error); }
      }
    },
  };

  window.weir = api;
  hold();
  addEventListener("online", hurry);
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
  if (Array.isArray(early)) api.push(...early);
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
