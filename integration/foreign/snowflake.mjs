// snowflake-sdk, unmodified, at an account's own name.
import { readFileSync } from "node:fs";
import snowflake from "snowflake-sdk";
import { Judge } from "./judge.mjs";

process.env.SNOWFLAKE_DISABLE_PLATFORM_DETECTION = "true";
snowflake.configure({ logLevel: "OFF", disableOCSPChecks: true });
const j = new Judge("snowflake-sdk", JSON.parse(readFileSync(new URL("node_modules/snowflake-sdk/package.json", import.meta.url))).version);
const { SNOWFLAKE_ACCOUNT: account, SNOWFLAKE_HOST: host, SNOWFLAKE_TOKEN: token, SNOWFLAKE_KEY_USER: username, SNOWFLAKE_KEY } = process.env;
const base = { account, host, accessUrl: `https://${host}`, application: "carnet", timeout: 10000, retryTimeout: 5 };
const federated = (more) => ({ ...base, authenticator: "WORKLOAD_IDENTITY", workloadIdentityProvider: "OIDC", token, ...more });
const keys = (more) => ({ ...base, authenticator: "SNOWFLAKE_JWT", username, privateKey: readFileSync(SNOWFLAKE_KEY, "utf8"), ...more });

const asked = async (settings, ...statements) => {
  const connection = snowflake.createConnection(settings);
  await new Promise((done, failed) => connection.connectAsync((e) => (e ? failed(e) : done())).catch(failed));
  let rows;
  for (const sqlText of statements)
    rows = await new Promise((done, failed) => connection.execute({ sqlText, complete: (e, _, got) => (e ? failed(e) : done(got)) }));
  await new Promise((done) => connection.destroy(done));
  return rows;
};

await j.works("a workload identity", () => asked(federated(), "select current_user()"), [{ "CURRENT_USER()": "CARNET" }]);
await j.works("a key pair", () => asked(keys(), "select current_user()"), [{ "CURRENT_USER()": "CARNET_KEYS" }]);
await j.works("with a name", () => asked(federated(), "select 1 as id"), [{ ID: 1 }]);
await j.works("a transaction", () => asked(federated(), "begin", "select 1", "commit", "rollback"));
await j.works("session settings", () => asked(federated({ clientSessionKeepAlive: true }), "alter session set TIMEZONE = 'UTC'", "select 1"), [{ 1: 1 }]);
await j.refused("another's token", () => asked(federated({ token: token.slice(0, -8) + "AAAAAAAA" }), "select 1"), "390100");
await j.refused("another account", () => asked(federated({ account: "GLOBEX-EU" }), "select 1"), "390201");
await j.refused("another user's key", () => asked(keys({ username: "CARNET" }), "select 1"), "390144");
await j.refused("a password", () => asked({ ...base, username: "CARNET", password: "x" }, "select 1"), "390100");
await j.refused("a statement that is none", () => asked(federated(), "drop everything"), "compilation error");
j.close();
process.exit(0);
