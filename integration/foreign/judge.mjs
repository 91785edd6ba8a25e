// What the judges in JavaScript have in common: cases that must work and cases that must be refused.
import { isDeepStrictEqual } from "node:util";

export class Judge {
  constructor(name, version) {
    Object.assign(this, { name, version, cases: 0, disagreements: 0 });
  }
  async works(name, run, want) {
    this.cases++;
    try {
      const got = await run();
      if (want !== undefined && !isDeepStrictEqual(got, want)) this.#disagree(name, `got ${JSON.stringify(got)?.slice(0, 300)}, not ${JSON.stringify(want).slice(0, 300)}`);
    } catch (e) {
      console.error(e.stack ?? e);
      this.#disagree(name, String(e.message ?? e));
    }
  }
  async refused(name, run, ...words) {
    this.cases++;
    try {
      await run();
    } catch (e) {
      const text = `${e.code} ${e.message ?? e}`;
      if (!words.some((w) => text.includes(w))) this.#disagree(name, `refused, but not with ${words}: ${text}`);
      return;
    }
    this.#disagree(name, "let in");
  }
  #disagree(name, text) {
    this.disagreements++;
    console.log(`disagreement: ${this.name}: ${name}: ${text.replace(/\s+/g, " ").slice(0, 500)}`);
  }
  close() {
    console.log(`judge: ${this.name} ${this.version}: ${this.cases} cases, ${this.disagreements} disagreements`);
  }
}
