/** The page of `chainrule play`. */

import { WebSocketChannel } from "./channel";
import { mount } from "./mount";

const { app } = mount(document.body, new WebSocketChannel(new URL(".", location.href)));
void app;
