/** The page of `chainrule play`. */

import { keepAddress, takeLanguage } from "./address.svelte";
import { WebSocketChannel } from "./channel";
import { mount } from "./mount";

const { app } = mount(document.body, new WebSocketChannel(new URL(".", location.href)), true);
takeLanguage(app);
keepAddress(app);
