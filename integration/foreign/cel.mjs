// @marcbachmann/cel-js, unmodified, on the cases that celcases writes: its verdict against the lab's.
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { Environment } from "@marcbachmann/cel-js";

const version = JSON.parse(readFileSync(new URL("node_modules/@marcbachmann/cel-js/package.json", import.meta.url))).version;

// https://cloud.google.com/iam/docs/conditions-attribute-reference#extract
const extract = (s, template) => {
  const open = template.indexOf("{"), close = template.indexOf("}", open);
  if (open < 0 || close < 0) return "";
  const prefix = template.slice(0, open), suffix = template.slice(close + 1);
  const from = s.indexOf(prefix);
  if (from < 0) return "";
  const rest = s.slice(from + prefix.length);
  const end = suffix === "" ? rest.length : rest.indexOf(suffix);
  return end < 0 ? "" : rest.slice(0, end);
};
class Api {
  constructor(attributes) { this.attributes = attributes; }
}
const env = new Environment({ unlistedVariablesAreDyn: false })
  .registerType("Api", { ctor: Api, fields: {} })
  .registerVariable("assertion", "map").registerVariable("resource", "map").registerVariable("api", "Api")
  .registerFunction("string.extract(string): string", extract)
  .registerFunction("Api.getAttribute(string, dyn): dyn", (api, name, otherwise) => api.attributes[name] ?? otherwise);

// claims has whole numbers as CEL has them. The text is read by hand for them, since JSON.parse
// makes a double of each.
const claims = (line) =>
  JSON.parse(line.replace(/"(n)":(-?\d+)([,}])/g, '"$1":{"$int":"$2"}$3'), (_, v) => (v && typeof v === "object" && "$int" in v ? BigInt(v.$int) : v)).claims;

const verdict = (line, c) => {
  const names = { assertion: {}, resource: {}, api: new Api({}) };
  if (c.kind === "mapping") names.assertion = claims(line);
  else {
    const bucket = `projects/_/buckets/${c.bucket}`;
    names.resource = c.object
      ? { name: `${bucket}/objects/${c.object}`, service: "storage.googleapis.com", type: "storage.googleapis.com/Object" }
      : { name: bucket, service: "storage.googleapis.com", type: "storage.googleapis.com/Bucket" };
    if (c.listing !== undefined) names.api = new Api({ "storage.googleapis.com/objectListPrefix": c.listing });
  }
  try {
    const value = env.evaluate(c.expression, names);
    return { failed: false, value: c.kind === "mapping" ? String(value) : value };
  } catch (e) {
    return { failed: true, why: e.message };
  }
};

let cases = 0, disagreements = 0, failures = 0;
for await (const line of createInterface({ input: process.stdin })) {
  const c = JSON.parse(line), got = verdict(line, c);
  cases++;
  if (c.failed) failures++;
  if (got.failed === c.failed && (got.failed || got.value === c.value)) continue;
  disagreements++;
  console.log(`disagreement: cel-js: ${line} but ${JSON.stringify(got)}`);
}
console.log(`judge: @marcbachmann/cel-js ${version}: ${cases} cases, ${disagreements} disagreements (${failures} cases fail for the lab)`);
