/** Playing the operations of one step: forward, loss, backward, update, one after the other. */

import { PHASES, type InsideMessage, type Phase, type Step } from "./model";

/** How long an operation stands at speed 1, in milliseconds. */
const STAND = 1100;

export class Player {
  /** The operation that is looked at; those before it are done. */
  at = $state(0);
  playing = $state(false);
  speed = $state(1);

  steps: Step[] = $derived.by(() => this.message().steps);
  current: Step | undefined = $derived(this.steps[this.at]);
  /** The arrows whose value, and those whose gradient, is known by now. */
  known = $derived.by(() => this.#known());

  #timer: ReturnType<typeof setTimeout> | undefined;

  /** `ended` is asked what to do when playing reaches the end of the update. */
  constructor(
    private readonly message: () => InsideMessage,
    private readonly ended: () => Promise<void>,
  ) {}

  go(at: number): void {
    this.at = Math.max(0, Math.min(this.steps.length - 1, at));
  }

  /** The first operation of a phase. */
  jump(phase: Phase): void {
    const first = this.steps.findIndex((step) => step.phase === phase);
    if (first >= 0) this.go(first);
  }

  phases(): Phase[] {
    return PHASES.filter((phase) => this.steps.some((step) => step.phase === phase));
  }

  toggle(): void {
    if (this.playing) this.pause();
    else {
      this.playing = true;
      this.#wait();
    }
  }

  pause(): void {
    this.playing = false;
    clearTimeout(this.#timer);
  }

  #wait(): void {
    this.#timer = setTimeout(() => void this.#tick(), STAND / this.speed);
  }

  async #tick(): Promise<void> {
    if (this.at < this.steps.length - 1) this.at += 1;
    else await this.ended();
    if (this.playing) this.#wait();
  }

  #known(): { values: Set<string>; gradients: Set<string> } {
    const made = new Set<string>();
    const values = new Set<string>();
    const gradients = new Set<string>();
    this.steps.forEach((step, i) => {
      const arrows = (flows: Step["outputs"]) => flows.flatMap((f) => (f.arrow ? [f.arrow] : []));
      if (step.phase === "forward" || step.phase === "loss") {
        for (const arrow of arrows(step.outputs)) {
          made.add(arrow);
          if (i <= this.at) values.add(arrow);
        }
      } else if (step.phase === "backward" && i <= this.at) {
        for (const arrow of arrows([...step.inputs, ...step.outputs])) gradients.add(arrow);
      }
    });
    for (const arrow of Object.keys(this.message().arrows)) if (!made.has(arrow)) values.add(arrow);
    return { values, gradients };
  }
}
