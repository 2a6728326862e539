/** Names a job inside a stored value: what a job handle among arguments or results is stored as. */
export class JobReference {
  constructor(
    readonly id: string,
    readonly taskName: string,
  ) {
    Object.freeze(this);
  }
}
