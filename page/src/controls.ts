/** The controls that a link can hide or lock, as `noise_hide=true` and `loss_lock=true` say. */

export const NAMES = [
  "dataset", "noise", "percTrainData", "batchSize", "newData", "ownTable", "features", "numHiddenLayers",
  "units", "activation", "initialWeights", "weights", "learningRate", "optimizer", "loss", "regularization",
  "regularizationRate", "dropout", "playButton", "stepButton", "resetButton", "inside", "timeLine", "runs",
  "showTestData", "discretize", "export", "links",
] as const;

const WORDS: Record<string, string> = { hidden: "hide", locked: "lock" };

/** A link that hides and locks these controls, and no others. */
export function withControls(link: string, controls: Record<string, string | undefined>): string {
  const kept = link.replace(/[&]?\b\w+_(hide|lock)=[^&]*/g, "");
  const told = Object.entries(controls).flatMap(([name, what]) =>
    what && WORDS[what] ? [`&${name}_${WORDS[what]}=true`] : [],
  );
  return kept + told.join("");
}

/** What a link hides and locks. */
export function readControls(link: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [, name, what] of link.matchAll(/\b(\w+)_(hide|lock)=true/g)) {
    if (name && NAMES.some((known) => known === name)) found[name] = what === "hide" ? "hidden" : "locked";
  }
  return found;
}
