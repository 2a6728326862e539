/** Names a job inside a stored value: the stored form of a job handle among arguments or results. */
export class JobReference {
  constructor(
    readonly id: string,
    readonly taskName: string,
  ) {
    Object.freeze(this);
  }
}
