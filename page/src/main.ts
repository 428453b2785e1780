/** The page of `chainrule play`. */

import { keepAddress } from "./address.svelte";
import { WebSocketChannel } from "./channel";
import { mount } from "./mount";

const { app } = mount(document.body, new WebSocketChannel(new URL(".", location.href)), true);
keepAddress(app);
