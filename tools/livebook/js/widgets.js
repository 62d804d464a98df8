// Draws ipywidgets: from the state that is stored in a page, and from what Python says once it is there.

import * as base from "@jupyter-widgets/base";
import * as controls from "@jupyter-widgets/controls";
import * as output from "@jupyter-widgets/output";
import { ManagerBase } from "@jupyter-widgets/base-manager";
import { Widget } from "@lumino/widgets";
import "@lumino/widgets/style/index.css";
import "@jupyter-widgets/controls/css/labvariables.css";
import "@jupyter-widgets/controls/css/widgets-base.css";

const IDLE = { content: { execution_state: "idle" } };
const isModel = (value) => value instanceof base.WidgetModel;

/** A state with what is chosen behind what it is chosen from, since views hear of one after the other. Python has no order. */
const ordered = (state = {}) => {
  const chosen = ([key]) => ["value", "index", "selected_index"].includes(key);
  return Object.fromEntries(Object.entries(state).sort((one, other) => chosen(one) - chosen(other)));
};

/** A model's line to Python. `send`: takes a message with its number, and says when it was dealt with. */
class Comm {
  static #last = 0;
  done = null; // settles when Python has dealt with the last message
  #heard = () => {};
  #closed = () => {};

  constructor(id, send) {
    Object.assign(this, { comm_id: id, post: send });
  }

  on_msg = (callback) => (this.#heard = callback);
  on_close = (callback) => (this.#closed = callback);
  hear = (data, buffers, parent) =>
    this.#heard({ content: { data: { ...data, state: ordered(data.state) } }, buffers, parent_header: { msg_id: parent } });
  closed = () => this.#closed({});
  close() {}

  send(data, callbacks, _metadata, buffers) {
    // A model keeps back what it has to say until it hears that Python is idle again.
    const idle = () => callbacks?.iopub?.status?.(IDLE);
    const id = ++Comm.#last; // Python's echo names it, so that a model knows which of its moves Python has seen
    this.done = Promise.resolve(this.post(data, buffers, id)).then(idle, idle);
    return id;
  }
}

/** An Output widget that shows its outputs as the page shows a cell's. */
class OutputView extends base.DOMWidgetView {
  render() {
    super.render();
    this.listenTo(this.model, "change:outputs", this.redraw);
    this.redraw();
  }

  redraw() {
    this.el.replaceChildren();
    for (const item of this.model.get("outputs") ?? []) {
      this.model.widget_manager.drawOutput(item.output_type, item, this.el);
    }
  }
}

const MODULES = {
  "@jupyter-widgets/base": base,
  "@jupyter-widgets/controls": controls,
  "@jupyter-widgets/output": { ...output, OutputView },
};

/** The widgets of a page. Until Python is there, what the reader does is kept, to be told to it then. */
export class Manager extends ManagerBase {
  #comms = new Map();
  #kept = [];
  #moved = new Map(); // what Python was told of the reader's moves: a model's id -> its state, the latest last

  /** `python`: what messages are sent to; `drawOutput(type, content, element)`: draws one output. */
  constructor(python, drawOutput) {
    super();
    this.python = python;
    this.drawOutput = drawOutput;
  }

  async loadClass(name, module) {
    const found = MODULES[module]?.[name];
    if (!found) throw new Error(`this page has no ${name} of ${module}`);
    return found;
  }

  /** Which models Python has that the stored ones could be joined to: none. */
  async _get_comm_info() {
    return {};
  }

  /** Make the models that are stored in a page. */
  async restore(state) {
    this.keepAll(await this.set_state(state));
  }

  /** Python is not there, or no longer: keep what was and is done to these models, by default to all. */
  async keepAll(models) {
    const all = models ?? (await Promise.all(Object.values(this._models)));
    for (const [id, state] of this.#moved) {
      const model = all.find(({ model_id: one }) => one === id);
      if (model) this.#kept.push({ model, data: { method: "update", state }, buffers: [] });
    }
    this.#moved.clear();
    for (const model of all) {
      this.#comms.delete(model.comm?.comm_id);
      model._pending_msgs = 0;
      model.comm = new Comm(model.model_id, (data, buffers) => void this.#kept.push({ model, data, buffers }));
      model.comm_live = true;
    }
  }

  /** Draw a model's view; the element must be on the page. */
  async draw(id, element) {
    const model = await this.get_model(id);
    const view = await this.create_view(model);
    Widget.attach(view.luminoWidget, element);
    return model;
  }

  #note(id, state) {
    const before = this.#moved.get(id);
    this.#moved.delete(id);
    this.#moved.set(id, { ...before, ...state });
  }

  /** A message of Python about a comm. */
  hear({ type, comm_id: id, data, metadata, target_name: target, parent }, buffers) {
    const views = buffers.map((buffer) => new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength));
    if (type === "comm_open" && target === this.comm_target_name) {
      const send = (content, parts, number) => {
        if (content.method === "update" && !parts?.length) this.#note(id, content.state);
        return this.python.comm({ comm_id: id, data: content, msg_id: number }, parts);
      };
      const comm = new Comm(id, send);
      this.#comms.set(id, comm);
      this.handle_comm_open(comm, { content: { data }, metadata, buffers: views });
    } else if (type === "comm_msg") {
      this.#comms.get(id)?.hear(data, views, parent);
    } else if (type === "comm_close") {
      this.#comms.get(id)?.closed();
      this.#comms.delete(id);
    }
  }

  /** What is done from now on to widgets that others are about to replace is for those. */
  hold(widgets) {
    const held = new Map();
    for (const old of widgets) pair(old, old, held);
    for (const model of held.keys()) {
      if (model.comm) model.comm.post = (data, buffers) => void this.#kept.push({ model, data, buffers });
    }
  }

  /**
   * One widget takes the place of another: tell it what the reader did to the old one and no Python knows. One thing
   * after the other, as a reader does it: what Python answers to the one may be what the next has moved.
   */
  async replay(old, now) {
    const heirs = new Map();
    pair(old, now, heirs);
    for (const model of heirs.keys()) this.#moved.delete(model.model_id);
    for (let mine = this.#take(heirs); mine.length; mine = this.#take(heirs)) {
      for (const { model, data, buffers } of joined(mine)) {
        const heir = heirs.get(model);
        if (data.method !== "update") heir.send(data.content, {}, buffers);
        else if (fits(heir, data.state)) heir.set(data.state).save_changes();
        await heir.comm?.done;
        await new Promise((settle) => setTimeout(settle)); // until what Python has sent is there, too
      }
    }
  }

  /** What is kept for these models' heirs. */
  #take(heirs) {
    const mine = this.#kept.filter(({ model }) => heirs.has(model));
    this.#kept = this.#kept.filter(({ model }) => !heirs.has(model));
    return mine;
  }
}

/** Can a model take these? What the reader did before can have left it with fewer steps than the old one has. */
const fits = (model, { value, index, selected_index: selected }) => {
  const count = (model.get("_options_labels") ?? model.get("children"))?.length;
  return !(value > model.get("max")) && !((index ?? selected) >= count);
};

/** Of a control that was moved on and on, where it was left. */
const joined = (messages) => {
  const left = [];
  for (const message of messages) {
    const last = left.at(-1);
    if (last?.model !== message.model || last.data.method !== "update" || message.data.method !== "update") left.push(message);
    else left.splice(-1, 1, { ...message, data: { ...message.data, state: { ...last.data.state, ...message.data.state } } });
  }
  return left;
};

/** The models of two widgets of the same shape, one beside the other. */
const pair = (old, now, found) => {
  if (found.has(old) || old.get("_model_name") !== now.get("_model_name")) return;
  found.set(old, now);
  for (const [key, value] of Object.entries(old.attributes)) {
    const [ours, theirs] = [[value].flat(), [now.get(key)].flat()];
    ours.forEach((child, index) => isModel(child) && isModel(theirs[index]) && pair(child, theirs[index], found));
  }
};
