/** The page of `chainrule play`; of a file that was recorded; of a teacher. */

import { keepAddress, takeLanguage } from "./address.svelte";
import { WebSocketChannel } from "./channel";
import { mount, mountWall } from "./mount";
import { RecordedChannel } from "./recorded";

const recording = document.getElementById("recording");
if (recording) {
  const asked = new URLSearchParams(location.hash.slice(1));
  const wanted = (name: string) => asked.get(name) ?? recording.dataset[name];
  const read = (name: string) => document.getElementById(name)?.textContent ?? null;
  const channel = new RecordedChannel(read, Number(wanted("step") ?? 0));
  const { app } = mount(document.body, channel, true);
  const [language, theme] = [wanted("lang"), wanted("theme")];
  if (language === "en" || language === "zh") app.language = language;
  if (theme === "light" || theme === "dark") app.theme = theme;
} else if (location.pathname.endsWith("/class")) {
  const { app } = mountWall(document.body);
  takeLanguage(app);
} else {
  const { app } = mount(document.body, new WebSocketChannel(new URL(".", location.href)), true);
  takeLanguage(app);
  keepAddress(app);
}
document.getElementById("loading")?.remove();
