// The page's words, in English and Chinese. What people wrote is never translated.

const WORDS = {
  en: {
    title: "Hotspots", skip_to_list: "Skip to the list", search: "Search titles, platforms, ids",
    filters: "Search and filters", views: "Views", detail: "The chosen hotspot",
    stage: "Stage", route: "Route", platform: "Platform", show: "Show", all: "all",
    board: "Board", alerts: "What happened", live: "Live", connecting: "Connecting …",
    lost: "Not connected; trying again", decided: "decided up to", no_board: "no board yet",
    nothing: "Nothing here fits the filters.", empty: "Nothing is hot yet.", no_alerts: "No alerts.",
    language: "中文", theme: "Colours: {0}", theme_auto: "◐ System", theme_light: "○ Light", theme_dark: "● Dark",
    sign_in: "Sign in", sign_out: "Sign out", signed_in: "Signed in as",
    open: "open", mine: "mine", acknowledged: "acknowledged", silenced: "silenced",
    confirmed_only: "confirmed", emerging_only: "emerging",
    confirmed: "Hotspot", emerging: "Emerging", suspected: "Suspected push", cultural: "Cultural depth",
    likely: "Probability", views_count: "{0} views", an_hour: "{0} an hour", videos: "{0} videos", one_video: "1 video", likely_is: "{0} likely",
    choose: "Choose a hotspot from the list to see how it came about.", back: "Back to the list",
    gone: "It is no longer on the board.",
    timeline: "How it came about", in_words: "The same in words", whole: "the whole",
    forecast: "Forecast", level: "level", now: "now", median: "median", interval: "interval",
    horizon: "within {0}", reach_unknown: "How far it goes is told once enough earlier forecasts have matured.",
    reach_words: "Half of such go beyond {0}; {1} of them end between {2} and {3}.",
    level_reached: "The level has been reached.", next: "Next: {0}, {1} likely; {2} to {3} hours from then",
    spoke: "What spoke for it", depth: "Depth", depth_unknown: "Not known yet: too few people speak.",
    depth_words: "Index {0} of 1", take_up: "Taken up by", first: "first", after: "after {0}",
    guidance: "What can be done", no_guidance: "Nothing is suggested now.", evidence: "Why: the evidence in words",
    participation: "Who takes part", feeling: "What is felt", care: "Who takes care of it",
    actions: "What was done", effect: "Effect", waiting: "its effect is measured",
    also: "Also known as", symbols: "What is being said",
    acknowledge: "Acknowledge", unacknowledge: "Take back", assign: "Assign …", silence: "Silence …",
    unsilence: "End the silence", act: "Record an action …", by_whom: "by {0}", nobody: "Nobody has taken it yet.",
    assigned_to: "Assigned to {0}", acknowledged_by: "Acknowledged by {0}", silenced_until: "Silenced until {0}",
    your_name: "Your name", the_token: "Token", token_help: "The secret of HOTSPOTS_BOARD_TOKEN; kept in this tab only.",
    to_whom: "To whom (empty: nobody)", how_long: "For how long", note: "Note", save: "Save", cancel: "Cancel",
    hours: "{0} hours", day: "a day", week: "a week", what_done: "What was done, in your words (pin_comment)",
    on_level: "On which level", answers: "It answers", no_alert: "no alert",
    saved: "Saved.", told: "Told; it stands on the board once it is counted.", not_allowed: "This board takes no changes: it was started without a token.",
    refused_token: "The token is missing or wrong.", failed: "That did not work: {0}",
    trouble: "The board cannot be read: {0}. What is shown is of before.",
    changes: "Changes", comments: "Comments worth a look",
    rank: "Rank",
  },
  zh: {
    title: "热点", skip_to_list: "跳到列表", search: "搜索标题、平台、编号",
    filters: "搜索与筛选", views: "视图", detail: "选中的热点",
    stage: "阶段", route: "路径", platform: "平台", show: "显示", all: "全部",
    board: "榜单", alerts: "动态", live: "实时", connecting: "连接中…",
    lost: "连接中断，正在重试", decided: "已判定至", no_board: "尚无榜单",
    nothing: "没有符合筛选条件的热点。", empty: "暂无热点。", no_alerts: "暂无提醒。",
    language: "English", theme: "外观：{0}", theme_auto: "◐ 跟随系统", theme_light: "○ 浅色", theme_dark: "● 深色",
    sign_in: "登录", sign_out: "退出", signed_in: "已登录：",
    open: "待处理", mine: "我的", acknowledged: "已确认", silenced: "已静默",
    confirmed_only: "已成热点", emerging_only: "正在涌现",
    confirmed: "热点", emerging: "涌现中", suspected: "疑似推送", cultural: "有文化深度",
    likely: "概率", views_count: "{0} 次播放", an_hour: "每小时 {0}", videos: "{0} 个视频", one_video: "1 个视频", likely_is: "概率 {0}",
    choose: "从列表中选择一个热点，查看它的来龙去脉。", back: "返回列表",
    gone: "它已不在榜单上。",
    timeline: "形成过程", in_words: "文字说明", whole: "整体",
    forecast: "预测", level: "门槛", now: "当前", median: "中位数", interval: "区间",
    horizon: "{0}内", reach_unknown: "待足够多的早期预测到期后，才会给出可达规模。",
    reach_words: "此类热点半数超过 {0}；{1} 落在 {2} 至 {3} 之间。",
    level_reached: "已达到门槛。", next: "下一步：{0}，可能性 {1}；自当时起 {2} 至 {3} 小时",
    spoke: "预测依据", depth: "深度", depth_unknown: "尚不可知：发言的人太少。",
    depth_words: "指数 {0}（满分 1）", take_up: "各平台跟进", first: "最早", after: "{0}后",
    guidance: "可以做什么", no_guidance: "目前没有建议。", evidence: "为什么：证据说明",
    participation: "谁在参与", feeling: "情绪", care: "谁在负责",
    actions: "已采取的行动", effect: "效果", waiting: "正在测量效果",
    also: "又名", symbols: "正在流行的说法",
    acknowledge: "确认", unacknowledge: "撤回确认", assign: "指派…", silence: "静默…",
    unsilence: "结束静默", act: "记录行动…", by_whom: "{0}", nobody: "尚无人认领。",
    assigned_to: "已指派给 {0}", acknowledged_by: "{0} 已确认", silenced_until: "静默至 {0}",
    your_name: "您的名字", the_token: "令牌", token_help: "即 HOTSPOTS_BOARD_TOKEN；只保存在此标签页中。",
    to_whom: "指派给谁（留空：无人）", how_long: "多久", note: "备注", save: "保存", cancel: "取消",
    hours: "{0} 小时", day: "一天", week: "一周", what_done: "做了什么，用自己的话（如 pin_comment）",
    on_level: "层面", answers: "针对", no_alert: "不针对提醒",
    saved: "已保存。", told: "已上报；计入后会显示在榜单上。", not_allowed: "此看板未设置令牌，不接受更改。",
    refused_token: "令牌缺失或错误。", failed: "操作失败：{0}",
    trouble: "无法读取榜单：{0}。当前显示的是此前的内容。",
    changes: "变更记录", comments: "值得关注的评论",
    rank: "排名",
  },
};

// The vocabulary of the model (models/vocabulary.py, docs/alerts.md); Chinese as in the papers.
const VOCABULARY = {
  en: {},
  zh: {
    presentation: "价值呈现", judgment: "价值判断", interaction: "价值互动", diffusion: "价值扩散",
    outbreak: "爆发", sublimation: "升华", continuation: "延续",
    identification: "认同", exclusion: "排斥", contested: "争议", undecided: "未定",
    active: "活跃", revived: "复苏", interrupted: "中断", faded: "消退",
    ordinary: "普通用户", creator: "创作者", kol: "KOL", media: "主流媒体", elite: "精英",
    expert: "专家", official: "官方", brand: "品牌",
    creative: "创作层面", high: "高", medium: "中", low: "低", dissemination: "传播层面",
    original: "原创", imitation: "模仿", advertising: "广告", vulgarity: "低俗",
    deepening: "参与加深", persistence: "持续回访", dialogue: "对话", weak_ties: "弱关系连接",
    response: "创作者回应", elites: "关键角色", regions: "地域多样",
    one_region: "来自同一地区", young_accounts: "新注册账号", synchronous_bursts: "同时爆发", one_source: "同一来源",
    acknowledged: "已确认", unacknowledged: "撤回确认", assigned: "指派给", unassigned: "取消指派",
    silenced: "静默", unsilenced: "结束静默",
    "hotspot.stage.entered": "进入阶段", "hotspot.emerging": "正在涌现", "hotspot.confirmed": "成为热点",
    "hotspot.faded": "消退", "hotspot.guidance.negative_value_surge": "负面价值激增",
    "hotspot.guidance.interruption_risk": "有中断风险", "hotspot.guidance.homogenisation": "同质化",
    "hotspot.guidance.experts_wanted": "缺少专家", "hotspot.guidance.elite_entry": "关键角色入场",
    "hotspot.guidance.quality_comments": "优质评论", "hotspot.guidance.resonant_symbols": "引起共鸣的符号", "hotspot.guidance.deep_creation": "有深度的二创",
    "hotspot.guidance.effect": "行动效果", "hotspot.integrity.coordinated_push": "疑似协同推送",
    activity_collapsed_after_exclusion: "受排斥后活动骤降", activity_collapsed_when_ignored: "无人响应，活动骤降",
    activity_collapsed: "活动降至峰值的十分之一", deleted: "已被平台删除",
    forecast_above_alert_level: "预测概率超过提醒线", level_reached: "已达到门槛",
    level_reached_with_depth: "达到门槛且具有深度", exclusion_entered: "因排斥进入价值判断",
    exclusion_with_falling_dissemination: "受排斥且传播下降", most_derivatives_are_near_copies: "多数二创近乎复制",
    discussed_without_experts: "讨论中没有专家", coordinated_push_suspected: "疑似协同推送",
    role_entered: "新角色入场", original_derivative_goes_deep: "原创二创走向深入", comments_taken_up: "评论得到回应", symbols_rise_with_resonance: "符号涌现并引起共鸣",
    response_and_intensity_above_cohort: "响应与强度均高于同类", intensity_above_cohort: "强度高于同类",
    too_few_alike: "可比对象太少", not_followed_when_taken: "当时尚未跟踪", told_too_late: "上报太晚",
    too_many_actions: "行动太多", waiting: "正在测量效果",
  },
};
const TYPES = {
  "hotspot.stage.entered": "stage entered", "hotspot.emerging": "emerging", "hotspot.confirmed": "is a hotspot",
  "hotspot.faded": "faded",
};
const INTERACTION_LEVEL = { en: "interaction", zh: "互动层面" };

export let language = "en";

export function speak(chosen) {
  language = chosen === "zh" ? "zh" : "en";
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
}

const put = (text, values) => text.replace(/\{(\d)\}/g, (_, at) => String(values[Number(at)]));

/** A phrase of the page. */
export const word = (key, ...values) => put(WORDS[language][key] ?? WORDS.en[key] ?? key, values);

/** A term of the model; in English it is its own word. */
export function term(key) {
  if (key === null || key === undefined) return "";
  const known = VOCABULARY[language][key] ?? (language === "en" ? TYPES[key] : undefined);
  return known ?? String(key).split(".").pop().replaceAll("_", " ");
}

/** A level of guidance: interaction is a stage, too, and has another name in Chinese. */
export const levelOf = (key) => (key === "interaction" ? INTERACTION_LEVEL[language] : term(key));

const locale = () => (language === "zh" ? "zh-CN" : "en-GB");
export const number = (value, digits = 0) =>
  new Intl.NumberFormat(locale(), { maximumFractionDigits: digits }).format(value);
export const short = (value) =>
  new Intl.NumberFormat(locale(), { notation: "compact", maximumFractionDigits: 1 }).format(value);
export const share = (value, digits = 0) =>
  new Intl.NumberFormat(locale(), { style: "percent", maximumFractionDigits: digits }).format(value);
export const figure = (value) =>
  new Intl.NumberFormat(locale(), { maximumSignificantDigits: 3 }).format(value);

const clock = (options) => (ms) => new Intl.DateTimeFormat(locale(), options).format(new Date(ms));
export const moment = (ms) =>
  clock({ month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hour12: false })(ms);
export const exactly = (ms) => clock({ dateStyle: "full", timeStyle: "long" })(ms);
export const dayOf = (ms) => clock({ month: "short", day: "numeric" })(ms);
export const hourOf = (ms) => clock({ hour: "2-digit", minute: "2-digit", hour12: false })(ms);

/** A length of time, in the unit that suits it. */
export function span(ms) {
  const [value, unit] = ms < 3.6e6 ? [ms / 6e4, "minute"] : ms < 1.728e8 ? [ms / 3.6e6, "hour"] : [ms / 8.64e7, "day"];
  return new Intl.NumberFormat(locale(), {
    style: "unit", unit, unitDisplay: "long", maximumFractionDigits: value < 10 ? 1 : 0,
  }).format(value);
}
