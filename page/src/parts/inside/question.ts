/** "Why this number?": which element of what is asked about. */

export interface Question {
  arrow: string;
  gradient: boolean;
  element: number[];
  /** After the update: "p" for the parameter, or a slot of the optimizer. */
  update?: string;
}
