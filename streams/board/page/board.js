// The live board: reads once, then listens; what is shown follows what the server tells.

import { by, h, show } from "./dom.js";
import { Refused, listen, name, read, signOut, takeTokenFromAddress, token } from "./api.js";
import { Changes, askWhoYouAre } from "./changing.js";
import { detail } from "./detail.js";
import { showAlerts, showFilters, showHotspots, workOf } from "./list.js";
import { titles } from "./sentences.js";
import { language, moment, speak, word } from "./words.js";

const ALERTS_KEPT = 500;
const STORY_EVERY_MS = 1500;
const NARROW = matchMedia("(max-width: 860px)");
const THEMES = ["auto", "light", "dark"];

const now = {
  about: { may_change: false, may_act: false },
  board: { time_ms: null, hotspots: [], handling: {} },
  alerts: [],
  chosen: "",
  told: null,
  shownMs: 0,
  live: null,
  trouble: "",
  tab: "board",
  theme: localStorage.getItem("hotspots-theme") ?? "auto",
};

// -- what is shown ------------------------------------------------------------------------------

function showWords() {
  for (const one of document.querySelectorAll("[data-word]")) one.textContent = word(one.dataset.word);
  for (const one of document.querySelectorAll("[data-label]")) one.setAttribute("aria-label", word(one.dataset.label));
  by("query").placeholder = word("search");
  by("language").textContent = word("language");
  by("language").lang = language === "zh" ? "en" : "zh-CN";
  by("theme").textContent = word(`theme_${now.theme}`);
  by("theme").title = word("theme", word(`theme_${now.theme}`));
  document.documentElement.dataset.theme = now.theme;
  by("tab-board").textContent = word("board");
  showSignIn();
}

function showSignIn() {
  by("sign-in").hidden = !now.about.may_change;
  by("sign-in").textContent = token() && name() ? `${word("signed_in")} ${name()} · ${word("sign_out")}` : word("sign_in");
}

function showState() {
  const decided = now.board.time_ms === null ? word("no_board") : `${word("decided")} ${moment(now.board.time_ms)}`;
  const live = now.live === null ? word("connecting") : now.live ? word("live") : word("lost");
  by("state").dataset.live = String(now.live && !now.trouble);
  const said = `${live} · ${decided}`;
  if (by("state-text").textContent !== said) by("state-text").textContent = said;
  by("trouble").hidden = !now.trouble;
  by("trouble").textContent = now.trouble ? word("trouble", now.trouble) : "";
}

function showList() {
  showFilters(now.board);
  const found = showHotspots(now.board, name(), now.chosen);
  by("tab-board").textContent = `${word("board")} (${found.length})`;
  by("tab-alerts").textContent = `${word("alerts")} (${now.alerts.length})`;
  showAlerts(now.alerts, now.board);
}

function showDetail() {
  now.shownMs = now.board.time_ms ?? 0;
  const place = by("detail");
  document.body.classList.toggle("chosen", Boolean(now.chosen));
  if (!now.chosen) show(place, h("p", { class: "none" }, word("choose")));
  else if (now.told === null) show(place, h("p", { class: "none" }, word("connecting")));
  else if (now.told === "gone") {
    show(place, h("a", { class: "back", href: "#", "data-key": "back" }, `‹ ${word("back")}`), h("p", { class: "none" }, word("gone")));
  } else {
    const width = Math.max(280, Math.min(place.clientWidth - 40, 900));
    const changes = new Changes(now.about, now.chosen, () => readStory());
    show(place, ...detail(now.told, now.board, width, changes).flat(3));
  }
}

function showAll() {
  showWords();
  showState();
  showList();
  showDetail();
}

// -- what is read -------------------------------------------------------------------------------

let storyTimer = null;
let storyRead = 0;

/** Reads how the chosen hotspot came about; not more often than people can see. */
function readStory(soon = true) {
  if (!now.chosen || storyTimer !== null) return;
  const wait = soon ? 0 : Math.max(0, storyRead + STORY_EVERY_MS - Date.now());
  storyTimer = setTimeout(async () => {
    storyTimer = null;
    storyRead = Date.now();
    const chosen = now.chosen;
    let told;
    try {
      told = await read("hotspot", { hotspot_id: chosen });
    } catch (error) {
      if (!(error instanceof Refused || error instanceof TypeError)) throw error;
      if (error.status !== 404) return; // the stream says what the trouble is
      told = "gone";
    }
    if (chosen !== now.chosen) return readStory();
    const changed = JSON.stringify(told) !== JSON.stringify(now.told);
    const first = now.told === null;
    now.told = told;
    if (changed) showDetail();
    if (first && NARROW.matches) by("detail-title")?.focus();
  }, wait);
}

async function readAlerts() {
  const { alerts } = await read("alerts", { count: ALERTS_KEPT });
  now.alerts = alerts;
}

const heard = {
  board(board) {
    const before = now.board;
    now.board = board;
    now.trouble = "";
    titles.clear();
    for (const one of board.hotspots) titles.set(one.hotspot_id, one.title);
    showState();
    showList();
    if (now.chosen) {
      const rowOf = (one) => JSON.stringify([one.hotspots.find((row) => row.hotspot_id === now.chosen), one.handling[now.chosen], one.actions]);
      if (rowOf(before) !== rowOf(board)) readStory(false);
      // The picture ends at this moment; whoever is marking text there is not disturbed.
      const moved = Math.abs(board.time_ms - now.shownMs) >= 60_000;
      if (moved && getSelection().isCollapsed) showDetail();
    } else if (!NARROW.matches && board.hotspots.length) choose(board.hotspots[0].hotspot_id, false);
  },
  alert(alert) {
    now.alerts = [alert, ...now.alerts.filter((one) => one.id !== alert.id)].slice(0, ALERTS_KEPT);
    showList();
    if (workOf(alert, new Set([now.chosen]))) readStory(false);
  },
  async reset() {
    await readAlerts();
    showList();
    readStory();
  },
  trouble({ detail: what }) {
    now.trouble = what;
    showState();
  },
};

// -- what people do -----------------------------------------------------------------------------

function choose(id, remembered = true) {
  if (id === now.chosen) return;
  now.chosen = id;
  now.told = null;
  if (!remembered) history.replaceState(null, "", `#hotspot=${encodeURIComponent(id)}`);
  showList();
  showDetail();
  by("detail").scrollTop = 0;
  if (NARROW.matches) scrollTo(0, 0);
  readStory();
}

const chosenInAddress = () => new URLSearchParams(location.hash.slice(1)).get("hotspot") ?? "";

function turnTo(tab) {
  now.tab = tab;
  for (const [one, panel] of [["board", "list"], ["alerts", "alerts"]]) {
    by(`tab-${one}`).setAttribute("aria-selected", String(one === tab));
    by(`tab-${one}`).tabIndex = one === tab ? 0 : -1;
    by(panel).hidden = one !== tab;
  }
}

/** Up and down in the list, / to search, as in the readers people know. */
function onKey(event) {
  const typing = event.target.closest("input, select, textarea, dialog");
  if (event.key === "/" && !typing) {
    event.preventDefault();
    by("query").focus();
    return;
  }
  const step = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1 }[event.key];
  const list = event.target.closest("#hotspots, #alert-list");
  if (!step || typing || !list || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  const links = [...list.querySelectorAll("a")];
  links[links.indexOf(event.target) + step]?.focus();
}

function onTabKey(event) {
  if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
  turnTo(now.tab === "board" ? "alerts" : "board");
  by(`tab-${now.tab}`).focus();
}

function wire() {
  for (const id of ["query", "stage", "route", "platform", "status"]) by(id).addEventListener("input", showList);
  document.querySelector(".filters").addEventListener("submit", (event) => event.preventDefault());
  by("tab-board").addEventListener("click", () => turnTo("board"));
  by("tab-alerts").addEventListener("click", () => turnTo("alerts"));
  document.querySelector(".tabs").addEventListener("keydown", onTabKey);
  document.addEventListener("keydown", onKey);
  addEventListener("hashchange", () => {
    takeTokenFromAddress();
    choose(chosenInAddress());
    showSignIn();
  });
  by("language").addEventListener("click", () => {
    speak(language === "zh" ? "en" : "zh");
    localStorage.setItem("hotspots-language", language);
    showAll();
  });
  by("theme").addEventListener("click", () => {
    now.theme = THEMES[(THEMES.indexOf(now.theme) + 1) % THEMES.length];
    localStorage.setItem("hotspots-theme", now.theme);
    showWords();
    showList();
  });
  by("sign-in").addEventListener("click", () => {
    if (token() && name()) {
      signOut();
      showSignIn();
    } else askWhoYouAre(showAll);
  });
  let width = 0;
  new ResizeObserver(() => {
    if (Math.abs(by("detail").clientWidth - width) < 8) return;
    width = by("detail").clientWidth;
    showDetail();
  }).observe(by("detail"));
}

async function begin() {
  takeTokenFromAddress();
  const preferred = navigator.languages.some((one) => one.startsWith("zh")) ? "zh" : "en";
  speak(localStorage.getItem("hotspots-language") ?? preferred);
  wire();
  showAll();
  try {
    now.about = await read("about");
    await readAlerts();
  } catch (error) {
    if (!(error instanceof Refused || error instanceof TypeError)) throw error;
    now.trouble = error.message;
  }
  choose(chosenInAddress());
  showAll();
  listen({
    lastId: now.alerts[0]?.id,
    onEvent: (event, data) => heard[event](data),
    onLive: (live) => {
      now.live = live;
      showState();
    },
  });
}

begin();
