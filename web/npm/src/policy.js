import { Instance } from "./instance.js";

/** A policy: a preset, and the differences from it. It is checked when it is used. */
export class Policy {
  /** From the text of a policy file, or from an object with the same keys. */
  constructor(rules = {}) {
    this.text = typeof rules === "string" ? rules : toToml(rules);
    this.rules = rules;
  }

  static default() {
    return new Policy({ preset: "default" });
  }

  static strict() {
    return new Policy({ preset: "strict" });
  }

  static embedded() {
    return new Policy({ preset: "embedded" });
  }

  static ceiling() {
    return new Policy({ preset: "ceiling" });
  }

  /** This policy with the rules of `changes`, table by table. Not for a policy that was made from text. */
  with(changes) {
    if (typeof this.rules === "string") throw new TypeError("a policy that was made from text has no rules to change");
    return new Policy(merge(this.rules, changes));
  }

  /** Checks the policy: its whole text, and its fingerprint. */
  async check() {
    return (await Instance.create()).request({ op: "policy", policy: this.text }).json;
  }
}

const isTable = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

function merge(base, changes) {
  const merged = { ...base };
  for (const [key, value] of Object.entries(changes)) {
    merged[key] = isTable(value) && isTable(base[key]) ? merge(base[key], value) : value;
  }
  return merged;
}

/** Inline tables and arrays are all that is needed below the first level. */
function toToml(rules) {
  return Object.entries(rules)
    .map(([key, value]) => `${text(key)} = ${literal(value)}\n`)
    .join("");
}

function literal(value) {
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  if (isTable(value)) {
    const pairs = Object.entries(value).map(([key, value]) => `${text(key)} = ${literal(value)}`);
    return `{ ${pairs.join(", ")} }`;
  }
  return typeof value === "string" ? text(value) : String(value);
}

/** JSON escapes what TOML does, but for one character. */
function text(value) {
  return JSON.stringify(value).replaceAll("\u007f", "\\u007f");
}
