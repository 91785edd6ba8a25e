// @google-cloud/storage and @google-cloud/bigquery, unmodified, at Google's own names.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pipeline } from "node:stream/promises";
import { Readable } from "node:stream";
import { Storage } from "@google-cloud/storage";
import { BigQuery } from "@google-cloud/bigquery";
import { Judge } from "./judge.mjs";

const version = (name) => JSON.parse(readFileSync(new URL(`node_modules/${name}/package.json`, import.meta.url))).version;
// Each library takes the credentials of the google-auth-library that it brings.
const as = (name, token) => {
  const { OAuth2Client } = createRequire(new URL(`node_modules/${name}/package.json`, import.meta.url))("google-auth-library");
  const client = new OAuth2Client();
  client.setCredentials({ access_token: token, expiry_date: Date.now() + 3000_000 });
  return client;
};
const big = Buffer.alloc(10 << 20, "0123456789abcdef");

async function storage() {
  const j = new Judge("@google-cloud/storage", version("@google-cloud/storage"));
  const store = new Storage({ projectId: "acme-prod", authClient: as("@google-cloud/storage", process.env.GCS_TOKEN), retryOptions: { autoRetry: false } });
  const bucket = store.bucket(process.env.GCS_BUCKET);
  const at = (name) => bucket.file(`from-operator/js/${name}`);
  const read = async (name) => (await at(name).download())[0].toString();
  await j.works("save", () => at("a").save("hello", { resumable: false }));
  await j.works("save resumably", () => at("resumable").save("hello"));
  await j.works("save what is big", () => at("big").save(big));
  await j.works("save by chunks", () => at("chunks").save(big, { chunkSize: 1 << 20 }));
  await j.works("write a stream", () => pipeline(Readable.from([big, Buffer.from("end")]), at("stream").createWriteStream()));
  await j.works("download", () => read("a"), "hello");
  await j.works("download what came resumably", () => read("resumable"), "hello");
  await j.works("download what is big", async () => (await read("big")).length, big.length);
  await j.works("download what came by chunks", async () => (await read("chunks")) === big.toString(), true);
  await j.works("download a stream", async () => (await read("stream")).endsWith("end"), true);
  await j.works("a range", async () => (await at("a").download({ start: 1, end: 2, validation: false }))[0].toString(), "el");
  await j.works("metadata", async () => (await at("a").getMetadata())[0].size, "5");
  await j.works("exists", async () => (await at("none").exists())[0], false);
  await j.works("list", async () => (await bucket.getFiles({ prefix: "from-operator/js/a" }))[0].map((f) => f.name), ["from-operator/js/a"]);
  await j.works("copy", () => at("a").copy(at("copy")));
  await j.works("compose", async () => { await bucket.combine([at("a"), at("copy")], at("both")); return read("both"); }, "hellohello");
  await j.works("move", async () => { await at("copy").move(at("moved")); return read("moved"); }, "hello");
  await j.works("move in one step", async () => { await at("moved").moveFileAtomic(at("again")); return read("again"); }, "hello");
  await j.works("delete", () => at("a").delete());
  const out = bucket.file("theirs/a");
  await j.refused("outside: save", () => out.save("x", { resumable: false }), "403");
  await j.refused("outside: save resumably", () => out.save("x"), "403");
  await j.refused("outside: download", () => out.download(), "403");
  await j.refused("outside: list", () => bucket.getFiles({ prefix: "theirs/" }), "403");
  await j.refused("outside: copy", () => at("big").copy(out), "403");
  await j.refused("outside: delete", () => out.delete(), "403");
  await j.refused("outside: the bucket", () => bucket.getMetadata(), "403");
  j.close();
}

async function bigquery() {
  const j = new Judge("@google-cloud/bigquery", version("@google-cloud/bigquery"));
  const client = new BigQuery({ projectId: process.env.BQ_PROJECT, authClient: as("@google-cloud/bigquery", process.env.BQ_TOKEN), autoRetry: false });
  const dataset = client.dataset(process.env.BQ_DATASET);
  const table = dataset.table("js");
  const from = `\`${process.env.BQ_PROJECT}.${process.env.BQ_DATASET}.js\``;
  await j.works("make a table", () => dataset.createTable("js", { schema: "n:INTEGER, s:STRING" }));
  await j.works("stream rows", () => table.insert([{ n: 1, s: "a" }, { n: 2, s: "b" }]));
  await j.works("query", async () => (await client.query(`SELECT * FROM ${from}`))[0], [{ n: 1, s: "a" }, { n: 2, s: "b" }]);
  await j.works("a job", async () => { const [job] = await client.createQueryJob("SELECT 1 AS one"); return (await job.getQueryResults())[0]; }, [{ one: 1 }]);
  await j.works("rows", async () => (await table.getRows())[0].length, 2);
  await j.works("metadata", async () => (await table.getMetadata())[0].type, "TABLE");
  await j.works("the dataset", async () => (await dataset.get())[0].id, process.env.BQ_DATASET);
  await j.works("tables", async () => (await dataset.getTables())[0].some((t) => t.id === "js"), true);
  await j.works("exists", async () => (await dataset.table("none").exists())[0], false);
  await j.works("delete", () => table.delete());
  await j.refused("a statement that is none", () => client.query("SELEC 1"), "400");
  const other = client.dataset("inbox", { projectId: "globex-data" });
  await j.refused("outside: a dataset", () => other.getMetadata(), "403");
  await j.refused("outside: a query", () => client.query("SELECT * FROM `globex-data.inbox.t`"), "403", "Access Denied");
  await j.refused("outside: rows", () => other.table("t").getRows(), "403");
  j.close();
}

await storage();
await bigquery();
