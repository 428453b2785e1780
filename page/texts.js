/** Says what to do where the Chinese texts, which are made from the catalogue, are not there yet. */

import { existsSync } from "node:fs";

if (!existsSync(new URL("src/text/zh.json", import.meta.url))) {
  console.error(
    "page/src/text/zh.json is not there. It is made from the catalogue of messages; in the project's" +
      " folder, run: python scripts/messages.py compile",
  );
  process.exit(1);
}
