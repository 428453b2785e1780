/** Looking at a large picture: nearer and farther around a point, as a whole, dragged about. */

const LEAST = 0.2;
const MOST = 4;

export class Zoom {
  scale = $state(1);
  dragging = $state(false);

  constructor(private readonly host: () => HTMLElement) {}

  /** Nearer or farther; what is at this point of the window, or in the middle, stays there. */
  by(factor: number, at?: { x: number; y: number }): void {
    const host = this.host();
    const box = host.getBoundingClientRect();
    const x = at ? at.x - box.left : box.width / 2;
    const y = at ? at.y - box.top : box.height / 2;
    const before = this.scale;
    this.scale = Math.max(LEAST, Math.min(MOST, before * factor));
    const grown = this.scale / before;
    const [left, top] = [(host.scrollLeft + x) * grown - x, (host.scrollTop + y) * grown - y];
    requestAnimationFrame(() => host.scrollTo({ left, top }));
  }

  /** So that all of a picture is seen. */
  fit({ width, height }: { width: number; height: number }): void {
    const host = this.host();
    if (!width || !height) return;
    const whole = Math.min(host.clientWidth / width, host.clientHeight / height);
    this.scale = Math.max(LEAST, Math.min(MOST, whole));
  }

  /** Drags the picture with a mouse; fingers scroll by themselves. */
  grab(event: PointerEvent): void {
    if (event.pointerType !== "mouse" || event.button !== 0) return;
    const host = this.host();
    const from = { x: event.clientX + host.scrollLeft, y: event.clientY + host.scrollTop };
    const move = (moved: PointerEvent) => {
      this.dragging = true;
      host.scrollTo({ left: from.x - moved.clientX, top: from.y - moved.clientY });
    };
    const end = () => {
      this.dragging = false;
      window.removeEventListener("pointermove", move);
      window.removeEventListener("pointerup", end);
      window.removeEventListener("pointercancel", end);
    };
    window.addEventListener("pointermove", move);
    window.addEventListener("pointerup", end);
    window.addEventListener("pointercancel", end);
  }

  /** The wheel with Ctrl, which a touchpad's pinch is as well, and a pinch of two fingers. */
  readonly gestures = (host: HTMLElement): (() => void) => {
    let apart = 0;
    const wheel = (event: WheelEvent) => {
      if (!event.ctrlKey) return;
      event.preventDefault();
      this.by(Math.exp(-event.deltaY / 240), { x: event.clientX, y: event.clientY });
    };
    const pinch = (event: TouchEvent) => {
      const [one, other] = event.touches;
      if (!one || !other) {
        apart = 0;
        return;
      }
      event.preventDefault();
      const now = Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
      const middle = { x: (one.clientX + other.clientX) / 2, y: (one.clientY + other.clientY) / 2 };
      if (apart) this.by(now / apart, middle);
      apart = now;
    };
    const ended = () => (apart = 0);
    host.addEventListener("wheel", wheel, { passive: false });
    host.addEventListener("touchmove", pinch, { passive: false });
    host.addEventListener("touchend", ended);
    return () => {
      host.removeEventListener("wheel", wheel);
      host.removeEventListener("touchmove", pinch);
      host.removeEventListener("touchend", ended);
    };
  };
}
