// Pictures: the stages of a hotspot over time and by platform; how far it may go. Each says in its
// title what it shows, and stands beside the same in words.

import { s } from "./dom.js";
import { dayOf, exactly, hourOf, number, short, term, word } from "./words.js";
import { headline, subjectOf } from "./sentences.js";

const LANE = 26;
const TOP = 34;
const BOTTOM = 26;
const LANES_MAX = 8;
const DAY_MS = 86_400_000;

const timeOf = (alert) => Date.parse(alert.time);
const ofVideo = (alert) => !/^(topic|video):/.test(alert.subject);

const MARKS = {
  "hotspot.emerging": ["emerging", "M0,-6 L6,0 L0,6 L-6,0 Z"],
  "hotspot.confirmed": ["confirmed", "M0,-7 L2,-2.2 L7,-2 L3,1.4 L4.4,6.4 L0,3.6 L-4.4,6.4 L-3,1.4 L-7,-2 L-2,-2.2 Z"],
  "hotspot.faded": ["faded", "M-5,-1.5 H5 V1.5 H-5 Z"],
  "hotspot.integrity.coordinated_push": ["suspected", "M0,-6 L6,5 L-6,5 Z"],
  "hotspot.guidance.effect": ["effect", "M-5,0 A5,5 0 1,1 5,0 A5,5 0 1,1 -5,0 Z"],
};
const GUIDANCE = ["guidance", "M-5,-5 H5 V5 H-5 Z"];
const markOf = (alert) =>
  MARKS[alert.type] ?? (alert.type.startsWith("hotspot.guidance") ? GUIDANCE : null);

/** Lanes, one for each platform in the order of take-up: [platform, [[stage, from, until]], ends]. */
function lanesOf(hotspot, story, until) {
  const lanes = (hotspot.take_up ?? []).map((one) => ({
    platform: one.platform, steps: [["presentation", one.since_ms]], stops: [],
  }));
  for (const alert of story) {
    if (alert.type !== "hotspot.stage.entered" || !ofVideo(alert)) continue;
    let lane = lanes.find((one) => one.platform === alert.data.platform);
    if (!lane) lanes.push((lane = { platform: alert.data.platform, steps: [], stops: [] }));
    if (alert.data.state === "interrupted") lane.stops.push([timeOf(alert), alert]);
    else lane.steps.push([alert.data.stage, timeOf(alert), alert]);
  }
  for (const lane of lanes) {
    lane.steps.sort((a, b) => a[1] - b[1]);
    // A later video that enters an earlier stage takes nothing back from its platform.
    const order = ["presentation", "judgment", "interaction", "diffusion"];
    let highest = -1;
    lane.steps = lane.steps.filter(([stage]) => {
      const higher = order.indexOf(stage) > highest;
      if (higher) highest = order.indexOf(stage);
      return higher;
    });
    lane.segments = lane.steps.map(([stage, from, alert], at) =>
      [stage, from, Math.max(lane.steps[at + 1]?.[1] ?? until, from), alert]);
  }
  return lanes.slice(0, LANES_MAX);
}

/** Round times for the axis: days, or hours where there is less than two days. */
function ticksOf(from, until, most) {
  const steps = [3.6e6, 2 * 3.6e6, 6 * 3.6e6, 12 * 3.6e6, DAY_MS, 2 * DAY_MS, 7 * DAY_MS, 28 * DAY_MS];
  const step = steps.find((one) => (until - from) / one <= most) ?? steps.at(-1);
  const offset = new Date(from).getTimezoneOffset() * 60_000;
  const ticks = [];
  for (let at = Math.ceil((from - offset) / step) * step + offset; at <= until; at += step) ticks.push(at);
  const isMidnight = (at) => new Date(at).getHours() === 0;
  return ticks.map((at) => [at, step < DAY_MS && !isMidnight(at) ? hourOf(at) : dayOf(at)]);
}

/** The stages of a hotspot: a lane for each platform, and what was told of the whole above them. */
export function timeline(hotspot, story, until, width) {
  const lanes = lanesOf(hotspot, story, until);
  const told = story.filter((alert) => markOf(alert) && !(ofVideo(alert) && alert.type === "hotspot.emerging"));
  const starts = [...lanes.flatMap((lane) => lane.steps.map((step) => step[1])), ...told.map(timeOf)];
  const from = Math.min(...starts, until - 3.6e6);
  const left = Math.min(96, width * 0.26);
  const right = width - 12;
  const x = (ms) => left + ((ms - from) / Math.max(until - from, 1)) * (right - left);
  const height = TOP + Math.max(lanes.length, 1) * LANE + BOTTOM;
  const bottom = height - BOTTOM;
  return s("svg", { class: "timeline", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-labelledby": "timeline-title" },
    s("title", { id: "timeline-title" }, `${word("timeline")}: ${hotspot.title}`),
    ticksOf(from, until, Math.max(2, Math.floor((right - left) / 64))).map(([at, text]) => s("g", {},
      s("line", { class: "grid", x1: x(at), x2: x(at), y1: TOP - 8, y2: bottom }),
      s("text", { class: "tick", x: x(at), y: height - 8, "text-anchor": x(at) > right - 16 ? "end" : "middle" }, text))),
    s("text", { class: "lane", x: 0, y: 18 }, word("whole")),
    s("line", { class: "grid", x1: left, x2: right, y1: 14, y2: 14 }),
    lanes.map((lane, at) => laneOf(lane, TOP + at * LANE, x, left)),
    told.map((alert) => mark(alert, x(timeOf(alert)))),
    s("line", { class: "now", x1: x(until), x2: x(until), y1: 4, y2: bottom }));
}

function laneOf(lane, y, x, left) {
  const label = lane.platform.length > 11 ? `${lane.platform.slice(0, 10)}…` : lane.platform;
  return s("g", {},
    s("text", { class: "lane", x: 0, y: y + 13 }, label),
    lane.segments.map(([stage, from, until, alert]) =>
      s("rect", { class: `stage-${stage}`, x: x(from), y: y + 2, width: Math.max(x(until) - x(from), 2), height: 14, rx: 2 },
        s("title", {}, `${lane.platform}: ${term(stage)} (${exactly(from)})${alert ? ` — ${subjectOf(alert)}` : ""}`))),
    lane.stops.map(([at, alert]) =>
      s("path", { class: "stop", d: `M${x(at) - 5},${y + 4} l10,10 m0,-10 l-10,10` },
        s("title", {}, `${subjectOf(alert)}: ${headline(alert)} (${exactly(at)})`))),
    lane.segments.length ? null : s("line", { class: "grid", x1: left, x2: x(0), y1: y + 9, y2: y + 9 }));
}

function mark(alert, x) {
  const [name, path] = markOf(alert);
  return s("path", { class: `mark-${name}`, d: path, transform: `translate(${x},14)` },
    s("title", {}, `${subjectOf(alert)}: ${headline(alert)} (${exactly(timeOf(alert))})`));
}

/** The legend of the timeline: stages, and those marks that are in it. */
export function legend(story) {
  const stages = ["presentation", "judgment", "interaction", "diffusion"].map((stage) =>
    [term(stage), s("svg", { viewBox: "0 0 18 12" }, s("rect", { class: `stage-${stage}`, width: 18, height: 12, rx: 2 }))]);
  const named = new Map();
  for (const alert of story) {
    const [name, path] = markOf(alert) ?? [];
    if (name === undefined || (ofVideo(alert) && alert.type === "hotspot.emerging")) continue;
    named.set(name, [name === "guidance" ? word("guidance") : term(alert.type),
      s("svg", { viewBox: "-8 -8 16 16" }, s("path", { class: `mark-${name}`, d: path }))]);
  }
  return [...stages, ...named.values()];
}

/** How far it may go, on a logarithmic scale: now, the interval with its median, the level. */
export function forecast(progress, reach, level, width) {
  const known = [progress, level, reach?.low, reach?.high].filter((one) => one > 0);
  const low = Math.log10(Math.min(...known)) - 0.15;
  const high = Math.log10(Math.max(...known)) + 0.15;
  const x = (value) => 8 + ((Math.log10(Math.max(value, 1)) - low) / (high - low)) * (width - 16);
  const anchor = (at) => (at < 60 ? "start" : at > width - 60 ? "end" : "middle");
  const label = (value, y, text) => s("text", { class: "tick", x: x(value), y, "text-anchor": anchor(x(value)) }, text);
  const said = [`${word("now")} ${number(progress)}`, reach && `${word("median")} ${number(reach.median)}, ${number(reach.low)}–${number(reach.high)}`,
    level && `${word("level")} ${number(level)}`].filter(Boolean).join("; ");
  return s("svg", { class: "forecast", viewBox: `0 0 ${width} 84`, role: "img", "aria-label": said },
    s("line", { class: "axis", x1: 8, x2: width - 8, y1: 42, y2: 42 }),
    reach ? [
      s("rect", { class: "interval", x: x(reach.low), y: 34, width: Math.max(x(reach.high) - x(reach.low), 2), height: 16, rx: 3 }),
      s("line", { class: "median", x1: x(reach.median), x2: x(reach.median), y1: 30, y2: 54 }),
      label(reach.median, 24, `${word("median")} ${short(reach.median)}`)] : null,
    level ? [s("line", { class: "level", x1: x(level), x2: x(level), y1: 26, y2: 58 }), label(level, 80, `${word("level")} ${short(level)}`)] : null,
    s("circle", { class: "progress", cx: x(progress), cy: 42, r: 6 }),
    label(progress, 66, `${word("now")} ${short(progress)}`));
}
