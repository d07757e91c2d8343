// Copies the texts of tests/vectors into the fuzzers' corpora under the vectors' names: each text as a
// frame (corpus/message), and what a client may say as a script of two peers (corpus/hub). Run it when
// vectors were added: node tests/fuzz/seed.mjs

import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const here = import.meta.dirname ?? new URL(".", import.meta.url).pathname;
const vectors = join(here, "..", "vectors");
const A_PEER_ID = /7d3c1f0a-52b6-4c9e-9a41-0e6f2b8d1c34/g;

function* readVectors() {
  for (const kind of ["valid", "invalid"]) {
    for (const file of readdirSync(join(vectors, kind)).sort()) {
      if (!file.endsWith(".json")) continue;
      const vector = JSON.parse(readFileSync(join(vectors, kind, file), "utf8"));
      yield { ...vector, name: `${kind}-${file.replace(/\.json$/, "")}` };
    }
  }
}

// Client 1 waits in the room; client 0 says the text outside of a room and inside of it.
function script(text) {
  const said = `r0 ${text.replace(A_PEER_ID, "@1")}\n`;
  return `o0\no1\nj1 tea\n${said}j0 tea\n${said}l0\n`;
}

mkdirSync(join(here, "corpus", "message"), { recursive: true });
mkdirSync(join(here, "corpus", "hub"), { recursive: true });
for (const { name, from, text } of readVectors()) {
  writeFileSync(join(here, "corpus", "message", name), text);
  const isShort = text.length < 1000;
  if (from === "client" && isShort && !text.includes("\n") && name.startsWith("valid-"))
    writeFileSync(join(here, "corpus", "hub", name), script(text));
}
