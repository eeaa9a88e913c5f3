// One hotspot: how it came about, how far it may go, how deep it is, what can be done, and why.

import { h } from "./dom.js";
import { forecast, legend, timeline } from "./pictures.js";
import { changed, effect, evidence, feeling, headline, milestone, participation, subjectOf, suggestion } from "./sentences.js";
import { badges, isSilenced, steps } from "./list.js";
import { exactly, figure, language, levelOf, moment, number, share, span, term, word } from "./words.js";

const GUIDANCE = "hotspot.guidance.";
const LATEST = (a, b) => Date.parse(b.time) - Date.parse(a.time);

const part = (title, ...children) => h("section", { class: "part" }, h("h3", {}, title), ...children);
const latest = (story, field) => [...story].sort(LATEST).find((alert) => alert.data[field] !== undefined)?.data;
const isWhole = (alert) => /^(topic|video):/.test(alert.subject);

/** The whole of it; `changes` are what its buttons do. */
export function detail(told, board, width, changes) {
  const { hotspot, handling, story } = told;
  const of = story.filter(isWhole);
  return [
    h("a", { class: "back", href: "#", "data-key": "back" }, `‹ ${word("back")}`),
    head(hotspot, handling),
    care(hotspot, handling, changes),
    part(word("timeline"),
      timeline(hotspot, story, Math.max(board.time_ms ?? 0, ...story.map((alert) => Date.parse(alert.time))), width),
      h("ul", { class: "legend" }, legend(story).map(([text, picture]) => h("li", {}, picture, text))),
      h("details", { "data-key": "words" }, h("summary", {}, word("in_words")),
        h("ol", { class: "milestones" }, story.map((alert) => h("li", {}, milestone(alert)))))),
    guidance(story, changes),
    forecasted(hotspot, story, board, width),
    h("div", { class: "pair" }, depth(hotspot, of), takeUp(hotspot)),
    why(story),
    people(of),
    actions(hotspot, story, board),
  ];
}

function head(hotspot, handling) {
  return h("header", { class: "head" },
    h("h2", { id: "detail-title", tabindex: "-1" }, hotspot.title),
    h("p", { class: "badges" }, badges(hotspot, handling)),
    h("p", { class: "facts" }, steps(hotspot.stage), h("span", {}, term(hotspot.stage)),
      h("span", { class: `route ${hotspot.route}` }, term(hotspot.route)),
      h("span", {}, term(hotspot.state)),
      h("span", {}, word("views_count", number(hotspot.views))),
      h("span", {}, word("an_hour", number(hotspot.heat))),
      h("span", {}, hotspot.videos === 1 ? word("one_video") : word("videos", number(hotspot.videos)))),
    (hotspot.also_known_as ?? []).length
      ? h("p", {}, `${word("also")}: ${hotspot.also_known_as.map((name) => name.topic).join(", ")}`) : null,
    h("p", { class: "id" }, hotspot.hotspot_id));
}

function care(hotspot, handling, changes) {
  const button = (key, act, kind = "") => h("button", { type: "button", class: kind, "data-key": key, onclick: act }, word(key));
  const said = [
    handling.acknowledged_by && word("acknowledged_by", handling.acknowledged_by),
    handling.assigned_to && word("assigned_to", handling.assigned_to),
    isSilenced(handling) && word("silenced_until", moment(handling.silenced_until_ms)),
  ].filter(Boolean);
  return part(word("care"),
    h("p", {}, said.length ? said.join(" · ") : word("nobody")),
    h("p", { class: "buttons" },
      handling.acknowledged_by
        ? button("unacknowledge", () => changes.handle(hotspot, { acknowledged: false }))
        : button("acknowledge", () => changes.handle(hotspot, { acknowledged: true }), "strong"),
      button("assign", () => changes.assign(hotspot, handling)),
      isSilenced(handling)
        ? button("unsilence", () => changes.handle(hotspot, { silenced_for_ms: 0 }))
        : button("silence", () => changes.silence(hotspot)),
      changes.mayAct ? button("act", () => changes.act(hotspot)) : null),
    handling.changes.length
      ? h("details", { "data-key": "changes" }, h("summary", {}, word("changes")),
        h("ul", {}, handling.changes.map((one) => h("li", {}, changed(one))))) : null);
}

function guidance(story, changes) {
  const told = story.filter((alert) => alert.type.startsWith(GUIDANCE) && alert.data.suggestion).sort(LATEST);
  return part(word("guidance"), told.length ? told.map((alert) => h("article", { class: `advice ${alert.data.urgency}` },
    h("h4", {}, headline(alert), h("span", { class: `badge urgency ${alert.data.urgency}` }, term(alert.data.urgency)),
      h("span", { class: "badge flag" }, levelOf(alert.data.guidance_level))),
    h("p", {}, suggestion(alert)),
    h("p", { class: "why" }, `${evidence(alert)} (${moment(Date.parse(alert.time))})`),
    comments(alert.data.comments),
    changes.mayAct ? h("p", { class: "buttons" }, h("button", {
      type: "button", "data-key": `act-${alert.id}`, onclick: () => changes.act({ hotspot_id: changes.id }, alert),
    }, word("act"))) : null)) : h("p", { class: "none" }, word("no_guidance")));
}

function comments(told) {
  if (!told?.length) return null;
  return h("ul", { class: "comments", "aria-label": word("comments") }, told.map((one) =>
    h("li", {}, h("q", { dir: "auto" }, one.text), h("span", { class: "id" }, ` ${one.platform}/${one.video_id}`))));
}

function forecasted(hotspot, story, board, width) {
  const told = latest(story.filter((alert) => isWhole(alert) || story.every((one) => !isWhole(one))), "level") ?? {};
  const level = Number(String(told.level ?? "").split(":")[1] ?? 0);
  const action = String(told.level ?? "view").split(":")[0];
  const progress = action === "view" ? hotspot.views : Number(told.figures?.[`${action}s`] ?? 0);
  const reach = latest(story, "reach")?.reach;
  const next = latest(story, "next")?.next;
  const signals = latest(story, "signals")?.signals ?? [];
  return part(word("forecast"),
    h("p", { class: "probability" }, h("strong", {}, share(hotspot.probability)),
      ` ${word("likely")}${level ? ` · ${word("level")} ${number(level)}` : ""}${told.horizon_ms ? ` · ${word("horizon", span(told.horizon_ms))}` : ""}`),
    level && progress > 0 ? forecast(progress, reach, level, width) : null,
    h("p", {}, reach
      ? word("reach_words", number(reach.median), share(reach.coverage), number(reach.low), number(reach.high))
      : level && progress >= level ? word("level_reached") : word("reach_unknown")),
    next ? h("p", {}, word("next", term(next.juncture), share(next.probability_within_horizon),
      figure(next.hours.p25), figure(next.hours.p75))) : null,
    signals.length ? h("p", { class: "why", lang: language === "zh" ? "en" : null }, `${word("spoke")}: ${signals.join("; ")}`) : null);
}

function depth(hotspot, of) {
  const told = latest(of, "depth")?.depth;
  const index = hotspot.depth ?? told?.index;
  if (index === null || index === undefined) return part(word("depth"), h("p", { class: "none" }, word("depth_unknown")));
  const bars = Object.entries(told?.components ?? {});
  return part(word("depth"),
    h("p", {}, word("depth_words", figure(index)), hotspot.cultural ? ` · ${word("cultural")}` : ""),
    h("dl", { class: "bars" }, bars.map(([name, value]) => [
      h("dt", {}, term(name)),
      h("dd", {}, h("meter", { min: 0, max: 1, value, "aria-label": term(name) }), h("span", {}, figure(value)))])));
}

function takeUp(hotspot) {
  return part(word("take_up"), h("ol", { class: "take-up" }, (hotspot.take_up ?? []).map((one) =>
    h("li", {}, h("strong", {}, one.platform), " ",
      h("time", { title: exactly(one.since_ms) }, one.after_ms ? word("after", span(one.after_ms)) : `${word("first")}, ${moment(one.since_ms)}`)))));
}

function why(story) {
  const told = [...story].filter((alert) => !alert.type.startsWith(GUIDANCE)).sort(LATEST);
  return part(word("evidence"), h("ol", { class: "milestones" }, told.map((alert) => h("li", {},
    h("p", {}, h("time", { title: exactly(Date.parse(alert.time)) }, moment(Date.parse(alert.time))), " ",
      h("strong", {}, subjectOf(alert)), " ", headline(alert)),
    h("p", { class: "why" }, evidence(alert))))));
}

function people(of) {
  const told = latest(of, "participation")?.participation;
  const felt = latest(of, "resonance")?.resonance;
  const symbols = latest(of, "symbols")?.symbols ?? [];
  if (!told && !felt) return null;
  const said = told ? participation(told) : [];
  return part(word("participation"),
    said.length ? h("ul", {}, said.map((text) => h("li", {}, text))) : null,
    felt ? h("p", {}, h("strong", {}, `${word("feeling")}: `), feeling(felt)) : null,
    symbols.length ? h("p", {}, h("strong", {}, `${word("symbols")}: `),
      symbols.map((one) => `“${one.phrase}” ${share(one.share)}`).join(", ")) : null);
}

function actions(hotspot, story, board) {
  const subjects = new Set([hotspot.hotspot_id, hotspot.hotspot_id.replace(/^video:/, ""),
    ...story.filter((alert) => !isWhole(alert)).map((alert) => alert.subject)]);
  const done = (board.actions ?? []).filter((one) => subjects.has(one.subject));
  if (!done.length) return null;
  return part(word("actions"), h("ul", {}, done.map((one) => h("li", {},
    `${moment(one.taken_at_ms)}  ${one.kind} (${levelOf(one.guidance_level)})`,
    one.by ? ` ${word("by_whom", one.by)}` : "", one.note ? ` — ${one.note}` : "",
    h("span", { class: "why" }, one.reason === "waiting" ? word("waiting") : `${word("effect")}: ${effect(one)}`)))));
}
