// What people change: dialogs, and what becomes of them.

import { by, h } from "./dom.js";
import { Refused, change, name, signIn, token } from "./api.js";
import { levelOf, term, word } from "./words.js";

const HOUR_MS = 3_600_000;
const SILENCES = [1, 4, 12, 24, 72, 168];
const LEVELS = ["interaction", "dissemination", "creative"];

let counter = 0;

/** A labelled field of a dialog. */
function field(text, input, help) {
  const id = `field-${(counter += 1)}`;
  input.id = id;
  if (help) input.setAttribute("aria-describedby", `${id}-help`);
  return h("p", { class: "field" }, h("label", { for: id }, text), input,
    help ? h("small", { id: `${id}-help` }, help) : null);
}

const text = (value, more = {}) => h("input", { type: "text", maxlength: 256, autocomplete: "off", value, ...more });

/** Asks in a dialog; `done` gets nothing when it was left. */
function ask(title, fields, done) {
  const dialog = by("dialog");
  const problem = h("p", { class: "problem", role: "alert", hidden: true });
  const save = h("button", { type: "submit", class: "strong" }, word("save"));
  const form = h("form", {
    method: "dialog",
    onsubmit: async (event) => {
      event.preventDefault();
      save.disabled = true;
      try {
        await done();
        dialog.close();
      } catch (error) {
        if (!(error instanceof Refused || error instanceof TypeError)) throw error;
        problem.textContent = error.status === 401 ? word("refused_token") : word("failed", error.message);
        problem.hidden = false;
      } finally {
        save.disabled = false;
      }
    },
  },
    h("h2", { id: "dialog-title" }, title.replace(/ ?…$/, "")), fields, problem,
    h("p", { class: "buttons" }, save,
      h("button", { type: "button", onclick: () => dialog.close() }, word("cancel"))));
  dialog.replaceChildren(form);
  dialog.showModal();
}

/** Tells people who do not see it what happened. */
export const say = (what) => { by("said").textContent = what; };

export function askWhoYouAre(then) {
  const who = text(name(), { required: true, autocomplete: "name" });
  const secret = h("input", { type: "password", autocomplete: "off", value: token(), required: true });
  ask(word("sign_in"), [field(word("your_name"), who), field(word("the_token"), secret, word("token_help"))], async () => {
    signIn(who.value.trim(), secret.value.trim());
    then?.();
  });
}

/** What the buttons of a hotspot do. */
export class Changes {
  /** `about` is what the server can do, `done` is called after each change. */
  constructor(about, id, done) {
    this.id = id;
    this.mayAct = about.may_act;
    this.mayChange = about.may_change;
    this.done = done;
  }

  /** Lets those pass who are signed in, and asks the others first. */
  #signedIn(then) {
    if (!this.mayChange) say(word("not_allowed"));
    if (name() && token()) then();
    else askWhoYouAre(then);
  }

  async #send(path, body, said) {
    await change(path, { ...body, by: name() });
    say(said);
    this.done();
  }

  handle(hotspot, wanted) {
    this.#signedIn(async () => {
      try {
        await this.#send("handling", { hotspot_id: hotspot.hotspot_id, ...wanted }, word("saved"));
      } catch (error) {
        if (!(error instanceof Refused || error instanceof TypeError)) throw error;
        if (error.status === 401) askWhoYouAre(() => this.handle(hotspot, wanted));
        else say(word("failed", error.message));
      }
    });
  }

  assign(hotspot, handling) {
    this.#signedIn(() => {
      const whom = text(handling.assigned_to || name());
      const note = text("", { maxlength: 1000 });
      ask(word("assign"), [field(word("to_whom"), whom), field(word("note"), note)], () =>
        this.#send("handling", { hotspot_id: hotspot.hotspot_id, assigned_to: whom.value.trim(), note: note.value }, word("saved")));
    });
  }

  silence(hotspot) {
    this.#signedIn(() => {
      const long = h("select", {}, SILENCES.map((hours) =>
        h("option", { value: hours }, hours === 24 ? word("day") : hours === 168 ? word("week") : word("hours", hours))));
      const note = text("", { maxlength: 1000 });
      ask(word("silence"), [field(word("how_long"), long), field(word("note"), note)], () =>
        this.#send("handling", { hotspot_id: hotspot.hotspot_id, silenced_for_ms: long.value * HOUR_MS, note: note.value }, word("saved")));
    });
  }

  act(hotspot, alert) {
    this.#signedIn(() => {
      const level = h("select", {}, LEVELS.map((one) => h("option", { value: one }, levelOf(one))));
      if (alert) level.value = alert.data.guidance_level;
      const kind = text("", { required: true });
      const note = text("", { maxlength: 1000 });
      // Told again after a lost answer, it counts once.
      const actionId = crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`;
      ask(word("act"), [
        field(word("what_done"), kind), field(word("on_level"), level), field(word("note"), note),
        h("p", { class: "why" }, `${word("answers")}: ${alert ? term(alert.type) : word("no_alert")}`)], () =>
        this.#send("actions", {
          hotspot_id: hotspot.hotspot_id, kind: kind.value.trim(), level: level.value, note: note.value,
          alert_id: alert?.id ?? null, action_id: actionId,
        }, word("told")));
    });
  }
}
