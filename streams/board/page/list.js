// The list of hotspots and that of alerts: what is shown of each, and which fit the filters.

import { by, choices, h, show } from "./dom.js";
import { evidence, headline, subjectOf } from "./sentences.js";
import { exactly, moment, number, share, short, term, word } from "./words.js";

const STAGES = ["presentation", "judgment", "interaction", "diffusion"];
const ROUTES = ["identification", "contested", "exclusion", "undecided"];
const STATUSES = ["", "open", "mine", "acknowledged", "silenced", "confirmed_only", "emerging_only"];
const ALERTS_SHOWN = 200;

export const isSilenced = (handled) => (handled?.silenced_until_ms ?? 0) > Date.now();

function fitsStatus(status, hotspot, handled, me) {
  switch (status) {
    case "open": return !handled?.acknowledged_by && !isSilenced(handled);
    case "mine": return Boolean(me) && handled?.assigned_to === me;
    case "acknowledged": return Boolean(handled?.acknowledged_by);
    case "silenced": return isSilenced(handled);
    case "confirmed_only": return hotspot.confirmed;
    case "emerging_only": return hotspot.emerging && !hotspot.confirmed;
    default: return true;
  }
}

/** What the filters say. */
export const filters = () => Object.fromEntries(
  ["query", "stage", "route", "platform", "status"].map((name) => [name, by(name).value.trim()]));

function fits(wanted, hotspot, handled, me) {
  const text = [hotspot.title, hotspot.hotspot_id, ...hotspot.platforms,
    ...(hotspot.also_known_as ?? []).map((name) => name.topic), handled?.assigned_to ?? ""].join("\n").toLowerCase();
  return (!wanted.query || text.includes(wanted.query.toLowerCase()))
    && (!wanted.stage || hotspot.stage === wanted.stage)
    && (!wanted.route || hotspot.route === wanted.route)
    && (!wanted.platform || hotspot.platforms.includes(wanted.platform))
    && fitsStatus(wanted.status, hotspot, handled, me);
}

/** The choices of the filters, in the language at hand. */
export function showFilters(board) {
  const all = ["", word("all")];
  choices(by("stage"), [all, ...STAGES.map((one) => [one, term(one)])]);
  choices(by("route"), [all, ...ROUTES.map((one) => [one, term(one)])]);
  const platforms = [...new Set(board.hotspots.flatMap((one) => one.platforms))].sort();
  choices(by("platform"), [all, ...platforms.map((one) => [one, one])]);
  choices(by("status"), STATUSES.map((one) => [one, word(one || "all")]));
}

const badge = (kind, text, title) => h("span", { class: `badge ${kind}`, title }, text);

/** What stands beside a title. */
export function badges(hotspot, handled) {
  return [
    hotspot.confirmed ? badge("confirmed", word("confirmed")) : hotspot.emerging ? badge("emerging", word("emerging")) : null,
    hotspot.cultural ? badge("cultural", word("cultural")) : null,
    hotspot.integrity ? badge("suspected", word("suspected")) : null,
    (hotspot.screening ?? []).map((flag) => badge("flag", term(flag))),
    isSilenced(handled) ? badge("care", word("silenced")) : null,
    handled?.acknowledged_by ? badge("care", `✓ ${handled.acknowledged_by}`) : null,
    handled?.assigned_to ? badge("care", `→ ${handled.assigned_to}`) : null,
  ];
}

/** How far it has come, as four steps. */
export function steps(stage) {
  const at = STAGES.indexOf(stage);
  return h("span", { class: "steps", role: "img", "aria-label": `${word("stage")}: ${term(stage)}` },
    STAGES.map((one, index) => h("i", { class: index <= at ? `stage-${one}` : "ahead" })));
}

function row(hotspot, handled, chosen) {
  const link = h("a", {
    href: `#hotspot=${encodeURIComponent(hotspot.hotspot_id)}`, class: "row", "data-key": hotspot.hotspot_id,
    "aria-current": chosen ? "true" : null,
  },
    h("span", { class: "rank" }, h("span", { class: "hidden" }, `${word("rank")} `), hotspot.rank),
    h("span", { class: "about" },
      h("span", { class: "title" }, hotspot.title, " ", badges(hotspot, handled)),
      h("span", { class: "facts" },
        steps(hotspot.stage), h("span", {}, term(hotspot.stage)),
        h("span", { class: `route ${hotspot.route}` }, term(hotspot.route)),
        hotspot.state === "active" ? null : h("span", { class: "fact-state" }, term(hotspot.state)),
        h("span", { class: "where" }, hotspot.platforms.join(" · ")))),
    h("span", { class: "figures" },
      h("strong", {}, word("likely_is", share(hotspot.probability))),
      h("span", { title: number(hotspot.views) }, word("views_count", short(hotspot.views))),
      h("span", {}, word("an_hour", short(hotspot.heat)))));
  return h("li", { class: isSilenced(handled) ? "silenced" : null }, link);
}

/** The hotspots that fit, hottest first; says how many there are. */
export function showHotspots(board, me, chosen) {
  const wanted = filters();
  const found = board.hotspots.filter((one) => fits(wanted, one, board.handling[one.hotspot_id], me));
  show(by("hotspots"), found.map((one) => row(one, board.handling[one.hotspot_id], one.hotspot_id === chosen)));
  by("none").hidden = found.length > 0;
  by("none").textContent = board.hotspots.length ? word("nothing") : word("empty");
  return found;
}

/** The ids of the hotspots of the board that an alert is about. */
export function workOf(alert, ids) {
  if (ids.has(alert.subject)) return alert.subject;
  const names = (alert.data.topics ?? []).map((topic) => `topic:${topic}`);
  return [...names, `video:${alert.subject}`].find((name) => ids.has(name));
}

/** What happened, the latest first. */
export function showAlerts(alerts, board) {
  const wanted = filters();
  const ids = new Set(board.hotspots.map((one) => one.hotspot_id));
  const found = alerts.filter((alert) => {
    const text = `${subjectOf(alert)}\n${alert.subject}\n${headline(alert)}`.toLowerCase();
    return (!wanted.query || text.includes(wanted.query.toLowerCase()))
      && (!wanted.stage || alert.data.stage === wanted.stage)
      && (!wanted.route || alert.data.route === wanted.route)
      && (!wanted.platform || alert.data.platform === wanted.platform);
  }).slice(0, ALERTS_SHOWN);
  show(by("alert-list"), found.map((alert) => {
    const work = workOf(alert, ids);
    const said = [h("span", { class: "subject" }, subjectOf(alert)), " ", headline(alert)];
    return h("li", { class: alert.type.replaceAll(".", "-") },
      h("time", { datetime: alert.time, title: exactly(Date.parse(alert.time)) }, moment(Date.parse(alert.time))),
      h("p", {},
        work ? h("a", { href: `#hotspot=${encodeURIComponent(work)}`, "data-key": alert.id }, said) : said,
        h("span", { class: "why" }, evidence(alert))));
  }));
  by("no-alerts").hidden = found.length > 0;
  by("no-alerts").textContent = word("no_alerts");
}
