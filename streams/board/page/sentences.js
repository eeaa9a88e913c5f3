// What an alert says, in sentences with its figures; each in both languages.

import { figure, language, moment, number, share, span, term } from "./words.js";

const both = (en, zh) => (language === "zh" ? zh : en);
const at = (alert) => Date.parse(alert.time);

/** Titles of the hotspots of the board, by id: alerts of works that are one video have none. */
export const titles = new Map();

const people = (count) => (count === 1 ? "1 person" : `${number(count)} people`);

/** Where a video is, or the name of a work. */
export function subjectOf(alert) {
  const data = alert.data;
  if (/^(topic|video):/.test(alert.subject)) return data.topic ?? data.title ?? titles.get(alert.subject) ?? alert.subject.replace(/^\w+:/, "");
  return data.title ? `${data.title} (${data.platform})` : alert.subject;
}

/** In one line what happened. */
export function headline(alert) {
  const data = alert.data;
  switch (alert.type) {
    case "hotspot.stage.entered": {
      const route = term(data.route);
      const stage = term(data.stage);
      if (data.state === "interrupted") return both(`interrupted in ${stage}`, `在${stage}阶段中断`);
      const again = data.state === "revived" ? both("again ", "再次") : "";
      return both(`${again}enters ${stage} by ${route}`, `${again}以${route}进入${stage}`);
    }
    case "hotspot.emerging":
      return both(`is emerging, probability ${share(data.probability)}`, `正在涌现，概率 ${share(data.probability)}`);
    case "hotspot.confirmed":
      return both("is a hotspot: reach with depth", "成为热点：既有规模又有深度");
    case "hotspot.faded":
      return both("has faded", "已消退");
    case "hotspot.guidance.elite_entry":
      return both(`${term(data.role)} takes part for the first time`, `${term(data.role)}首次参与`);
    case "hotspot.guidance.effect":
      return both(`effect of ${data.action?.kind}: ${effect(data)}`, `行动“${data.action?.kind}”的效果：${effect(data)}`);
    default:
      return term(alert.type);
  }
}

/** What an action did, or why that is not known. */
export function effect(data) {
  const found = data.effect?.activity;
  if (!found) return term(data.reason);
  const sure = `${figure(found.low)}–${figure(found.high)}`;
  return both(
    `activity × ${figure(found.ratio)} (${sure}, ${share(found.coverage)}); matched, not randomised`,
    `活跃度为 ${figure(found.ratio)} 倍（${sure}，${share(found.coverage)}）；经匹配，非随机`,
  );
}

const EVIDENCE = {
  response_and_intensity_above_cohort: (f) => both(
    `${people(f.people)} acted on ${number(f.exposures)} views: ${figure(f.per_exposure)} a view${earlier(f)}, where the most of its kind stay below ${figure(f.null_per_exposure)}; and ${number(f.per_hour)} an hour, where ${number(f.null_per_hour)} would be the most. ${sureness(f)}`,
    `${number(f.exposures)} 次播放中有 ${number(f.people)} 人作出反应：每次播放 ${figure(f.per_exposure)}${earlier(f)}，同类通常不超过 ${figure(f.null_per_exposure)}；每小时 ${number(f.per_hour)}，同类通常不超过 ${number(f.null_per_hour)}。${sureness(f)}`),
  intensity_above_cohort: (f) => both(
    `${people(f.people)} acted: ${number(f.per_hour)} an hour, where ${number(f.null_per_hour)} would be the most of its kind. ${sureness(f)}`,
    `${number(f.people)} 人作出反应：每小时 ${number(f.per_hour)}，同类通常不超过 ${number(f.null_per_hour)}。${sureness(f)}`),
  forecast_above_alert_level: (f) => both(
    `The forecast passed ${share(f.alert_probability)} with ${number(progress(f))} so far and ${number(f.activity_per_hour)} an hour.`,
    `预测概率超过 ${share(f.alert_probability)}；目前 ${number(progress(f))}，每小时 ${number(f.activity_per_hour)}。`),
  level_reached: (f) => both(
    `The level was reached before the forecast said so: ${number(progress(f))}.`,
    `在预测发出之前已达到门槛：${number(progress(f))}。`),
  level_reached_with_depth: (f) => both(
    `${number(progress(f))} so far, and its videos went through ${f.stages.map(term).join(", ")}.`,
    `目前 ${number(progress(f))}，其视频已经过${f.stages.map(term).join("、")}。`),
  exclusion_entered: (f) => both(
    `Of late ${people(f.exclusion_recent)} reject it, ${number(f.identification_recent)} identify with it.`,
    `近期 ${number(f.exclusion_recent)} 人排斥，${number(f.identification_recent)} 人认同。`),
  exclusion_with_falling_dissemination: (f) => both(
    `Activity is at ${share(f.activity_share_of_peak)} of its peak and falling; at ${share(f.interrupted_at)} it counts as interrupted.`,
    `活动已降至峰值的 ${share(f.activity_share_of_peak)}；降到 ${share(f.interrupted_at)} 即视为中断。`),
  most_derivatives_are_near_copies: (f) => both(
    `${number(f.near_copies)} of the latest ${number(f.derivatives_looked_at)} derivatives are near-copies (${interval(f.share_interval)}), such as “${f.example_title ?? ""}”.`,
    `最近 ${number(f.derivatives_looked_at)} 个二创中有 ${number(f.near_copies)} 个近乎复制（${interval(f.share_interval)}），例如“${f.example_title ?? ""}”。`),
  discussed_without_experts: (f) => both(
    `${number(f.interactions)} contributions in ${number(f.hours, 1)} hours, and nobody of the media, elites, experts or officials among them.`,
    `${number(f.hours, 1)} 小时内有 ${number(f.interactions)} 条互动，其中没有媒体、精英、专家或官方。`),
  coordinated_push_suspected: (f) => both(
    `Of ${number(f.acts)} acts most show the same signs: ${signs(f)}.`,
    `${number(f.acts)} 次行为中多数呈现相同迹象：${signs(f)}。`),
  comments_taken_up: (f) => both(
    `${number(f.comments)} comments by ordinary people are worth highlighting.`, `有 ${number(f.comments)} 条普通用户的评论值得突出展示。`),
  symbols_rise_with_resonance: (f) => both(
    `${number(f.symbols)} symbols emerge, and those who comment feel for it: mean polarity ${figure(f.polarity)}, at least ${figure(f.polarity_at_least)}, elsewhere at most ${figure(f.polarity_elsewhere_at_most)}.`,
    `涌现 ${number(f.symbols)} 个符号，且评论者情感投入：平均倾向 ${figure(f.polarity)}，至少 ${figure(f.polarity_at_least)}，其他作品至多 ${figure(f.polarity_elsewhere_at_most)}。`),
  role_entered: (f) => both(`${span(f.after_ms)} after it began.`, `开始后 ${span(f.after_ms)}。`),
  activity_collapsed: fell, activity_collapsed_after_exclusion: fell, activity_collapsed_when_ignored: fell, deleted: fell,
  original_derivative_goes_deep: (f) => both(
    `“${f.title ?? f.derivative}” by ${f.creator_id ?? "?"} entered ${term(f.stage)} with ${number(f.views)} views.`,
    `${f.creator_id ?? "?"} 的“${f.title ?? f.derivative}”以 ${number(f.views)} 次播放进入${term(f.stage)}。`),
};

function fell(f) {
  return both(
    `Activity is ${number(f.activity_per_hour)} an hour, after ${number(f.peak_per_hour)} at its peak.`,
    `活动为每小时 ${number(f.activity_per_hour)}，峰值为 ${number(f.peak_per_hour)}。`);
}
// Of a visit whose own response is ordinary, the evidence is that of the visits before it.
const earlier = (f) => (f.per_exposure > f.null_per_exposure ? "" : both(" (more in earlier visits)", "（此前更高）"));

function sureness(f) {
  return both(
    `Evidence ${figure(f.log_evidence)} against a bar of ${figure(f.log_threshold)} (logarithms).`,
    `证据 ${figure(f.log_evidence)}，门槛 ${figure(f.log_threshold)}（对数）。`);
}
const progress = (f) => Object.entries(f).find(([key]) => !["activity_per_hour", "alert_probability", "stages"].includes(key))?.[1] ?? 0;
const interval = (pair) => (pair ? `${share(pair[0])}–${share(pair[1])}` : "");
const signs = (f) => (f.signs ?? []).map((sign) => `${term(sign)} (${share(f[sign]?.share ?? 0)})`).join(both(", ", "、"));

/** Why it was told, with the figures it was decided on. */
export function evidence(alert) {
  if (alert.type === "hotspot.guidance.effect") return ""; // its headline says it
  const sentence = EVIDENCE[alert.data.reason];
  try {
    if (sentence && alert.data.figures) return sentence(alert.data.figures);
  } catch (error) {
    // A figure that an earlier version did not tell: its reason is said without.
    if (!(error instanceof TypeError || error instanceof RangeError)) throw error;
  }
  return term(alert.data.reason);
}

const SUGGESTIONS_ZH = {
  "hotspot.guidance.quality_comments": "置顶其中一条评论，或以创作者身份回复：它们出自普通用户，友善或有理有据，并已引起回应。",
  "hotspot.guidance.elite_entry": "让这份参与更显眼：置顶、在话题页中链接，并请创作者回应。",
  "hotspot.guidance.negative_value_surge": "弄清人们排斥什么：阅读最新评论，以创作者身份回应并置顶说明；在加大推送之前核对标记。",
  "hotspot.guidance.experts_wanted": "邀请主流媒体和了解该主题的人评论、总结或解答，并把他们的内容放到讨论所在之处。",
  "hotspot.guidance.homogenisation": "减少近似复制品的展示，多展示有差异的作品；邀请从其他角度创作（话题页，或以提问代替模板的挑战）。",
  "hotspot.guidance.resonant_symbols": "在接下来的作品（下一集、视频回应或标题）中采用其中一个符号：人们已把它当成自己的，并投入情感；围绕它构建画面与故事。",
  "hotspot.guidance.interruption_risk": "现在决定是否值得继续：若值得，引入人们信任的声音并突出有理有据的评论；若不值得，任其结束，不再推送。",
  "hotspot.guidance.deep_creation": "支持这部二创：在原作旁推荐它，并邀请其创作者继续。",
};

/** What could be done, in words. */
export function suggestion(alert) {
  const known = language === "zh" && SUGGESTIONS_ZH[alert.type];
  if (!known) return alert.data.suggestion ?? "";
  // In English the suggestion itself says what is flagged.
  const flagged = (alert.data.screening ?? []).filter((one) => one.flag !== "original");
  return known + flagged.map((one) => `注意：${one.video} 被标记为${term(one.flag)}。`).join("");
}

/** Who takes part, from the figures. */
export function participation(told) {
  const said = [];
  if (told.people) said.push(both(
    `about ${number(told.people)} people, ${number(told.acts ?? 0)} acts of interaction and diffusion`,
    `约 ${number(told.people)} 人，互动与扩散行为 ${number(told.acts ?? 0)} 次`));
  const others = Object.entries(told.by_role ?? {}).filter(([role, part]) => role !== "ordinary" && part > 0);
  if (others.length) said.push(others.map(([role, part]) => `${term(role)} ${share(part, 2)}`).join(both(", ", "、")));
  const talk = told.dialogue;
  if (talk?.comments) said.push(both(
    `${share(talk.reply_share)} of ${number(talk.comments)} comments are replies, in threads of up to ${number(talk.deepest_thread)} steps`,
    `${number(talk.comments)} 条评论中 ${share(talk.reply_share)} 是回复，讨论串最深 ${number(talk.deepest_thread)} 层`));
  if (talk?.weak_ties_share !== undefined) said.push(both(
    `${share(talk.weak_ties_share)} of exchanges join strangers`, `${share(talk.weak_ties_share)} 的交流发生在陌生人之间`));
  if (told.deepened_share !== undefined) said.push(both(
    `${share(told.deepened_share)} moved up to a deeper act than their first`, `${share(told.deepened_share)} 的人参与程度加深`));
  if (told.returned_share !== undefined) said.push(both(
    `${share(told.returned_share)} came back on another day`, `${share(told.returned_share)} 的人在另一天再次参与`));
  const places = told.regions?.foremost ?? [];
  if (places.length) said.push(both("most come from ", "主要来自 ") + places.map((one) => `${one.region} ${share(one.share)}`).join(both(", ", "、")));
  return said;
}

/** How those who comment feel. */
export const feeling = (told) => both(
  `Mean polarity ${figure(told.polarity)} (−1 to 1), ${share(told.share_negative)} negative, of ${number(told.comments)} comments.`,
  `平均情感倾向 ${figure(told.polarity)}（−1 至 1），负面占 ${share(told.share_negative)}，共 ${number(told.comments)} 条评论。`);

/** One milestone in words, with its time. */
export const milestone = (alert) => `${moment(at(alert))}  ${subjectOf(alert)}: ${headline(alert)}`;

/** What somebody changed. */
export function changed(change) {
  const whom = change.to ? ` ${change.to}` : "";
  const until = change.until_ms ? both(` until ${moment(change.until_ms)}`, `至 ${moment(change.until_ms)}`) : "";
  const note = change.note ? both(`: ${change.note}`, `：${change.note}`) : "";
  const what = both(change.what === "assigned" ? "assigned to" : change.what, term(change.what));
  return `${moment(change.at_ms)}  ${change.by} ${what}${whom}${until}${note}`;
}
